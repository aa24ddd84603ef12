"""Quality gates: judged by the worse end of an interval, with exit code 3 if one fails."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.analysis import github
from llmbatch.analysis.evaluation import Evaluation
from llmbatch.analysis.gates import Wanted, gates, parse_wanted, save_junit
from llmbatch.analysis.gold import GoldOptions
from llmbatch.analysis.run_evaluation import evaluate_run
from llmbatch.core.errors import UsageError
from llmbatch.stats.intervals import wilson
from tests.analysis.conftest import Served, classify_into, rows_of, write_jsonl
from tests.analysis.test_evaluate_run import rendered
from tests.e2e.program import Program


@pytest.fixture(scope="module")
def evaluated(served: Served, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Evaluation]:
    folder = tmp_path_factory.mktemp("gates")
    rows = rows_of("ag_news")[:60]
    classify_into(folder, served, rows, "ag_news", review_below=0.6)
    write_jsonl(folder / "gold.jsonl", [{"id": row["id"], "label": row["gold"]} for row in rows])
    return folder, evaluate_run(folder / "run", GoldOptions(str(folder / "gold.jsonl")), wanted=0.9)


def test_accuracy_is_judged_by_the_lower_end_of_its_interval(evaluated: tuple[Path, Evaluation]) -> None:
    accuracy = evaluated[1].scores.accuracy_of_all
    assert accuracy.value is not None
    assert accuracy.low is not None
    (gate,) = gates(evaluated[1], Wanted(accuracy=accuracy.value))
    assert not gate.passed, "the measured value alone is not enough"
    (gate,) = gates(evaluated[1], Wanted(accuracy=accuracy.low))
    assert gate.passed
    assert gate.judged == accuracy.low


def test_a_labels_f1_interval_comes_from_its_own_rows(evaluated: tuple[Path, Evaluation]) -> None:
    score = evaluated[1].scores.labels[0]
    rows = score.gold + score.given - score.right
    (gate,) = gates(evaluated[1], Wanted(f1=((score.label, 0.5),)))
    assert gate.value == score.f1
    low, _ = wilson(score.right / rows, rows)
    assert gate.judged == pytest.approx(2 * low / (1 + low))
    share = score.right / rows
    assert score.f1 == pytest.approx(2 * share / (1 + share)), "F1 is this function of the share"


def test_the_review_share_is_that_of_the_whole_run(evaluated: tuple[Path, Evaluation]) -> None:
    folder, evaluation = evaluated
    review = len((folder / "run" / "review.jsonl").read_text().splitlines())
    (gate,) = gates(evaluation, Wanted(review=review / 60))
    assert (gate.passed, gate.value) == (True, review / 60)
    (gate,) = gates(evaluation, Wanted(review=review / 60 - 0.001))
    assert not gate.passed


def test_a_label_without_rows_fails_its_gate(evaluated: tuple[Path, Evaluation], tmp_path: Path) -> None:
    folder, evaluation = evaluated
    given = {label.label for label in evaluation.scores.labels}
    write_jsonl(tmp_path / "one.jsonl", [{"id": rows_of("ag_news")[0]["id"], "label": rows_of("ag_news")[0]["gold"]}])
    small = evaluate_run(folder / "run", GoldOptions(str(tmp_path / "one.jsonl")), wanted=0.9)
    absent = min(given - {label.label for label in small.scores.labels})
    (gate,) = gates(small, Wanted(f1=((absent, 0.1),)))
    assert (gate.passed, gate.value) == (False, None)
    assert gate.finding.endswith("but no gold row covers it")


def test_a_report_for_ci_servers(evaluated: tuple[Path, Evaluation], tmp_path: Path) -> None:
    found = gates(evaluated[1], parse_wanted("1%", (), "0%"))
    save_junit(tmp_path / "gates.xml", evaluated[1], found)
    suite = ET.parse(tmp_path / "gates.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    assert [case.get("name") for case in suite.iter("testcase")] == ["accuracy", "share in review"]
    (failure,) = suite.iter("failure")
    assert str(failure.get("message")).startswith("share in review: at most 0.0% required")


@pytest.mark.parametrize(
    ("accuracy", "f1", "review"),
    [("90 percent", (), None), ("120%", (), None), (None, ("80%",), None), (None, ("a=b",), None), (None, (), "-1")],
)
def test_an_invalid_gate_is_refused(accuracy: str | None, f1: tuple[str, ...], review: str | None) -> None:
    with pytest.raises(UsageError):
        parse_wanted(accuracy, f1, review)


def test_a_label_that_the_task_does_not_have_is_refused(evaluated: tuple[Path, Evaluation]) -> None:
    with pytest.raises(UsageError, match="'spam' is not a label of the task"):
        gates(evaluated[1], parse_wanted(None, ("spam=80%",), None))


def test_the_command_exits_with_3_if_a_gate_fails(evaluated: tuple[Path, Evaluation], tmp_path: Path) -> None:
    folder, evaluation = evaluated
    program = Program(tmp_path)
    command = ("evaluate", folder / "run", "--gold", folder / "gold.jsonl")
    passed = program(*command, "--min-accuracy", "1%", "--max-review", "100%")
    assert (passed.code, passed.out.count("\n  passed  ")) == (0, 2)
    failed = program(*command, "--min-accuracy", "99.9%", "--junit", "gates.xml", "--json")
    assert failed.code == 3
    (gate,) = json.loads(failed.out)["gates"]
    assert (gate["name"], gate["passed"]) == ("accuracy", False)
    assert (tmp_path / "gates.xml").exists()
    assert "Gates" not in rendered(evaluation)


@given(st.text())
def test_no_text_is_interpreted_as_markup_or_as_a_workflow_command(text: str) -> None:
    shown = github._text(text)
    assert not re.search(r"[<>|`*\[\]()\n\r]", shown)
    for escaped in (github._data(text), github._property(text)):
        assert not re.search(r"[\n\r]|%(?!25|0D|0A|3A|2C)", escaped)
    assert ":" not in github._property(text)
