"""Review thresholds per label: found on gold, stored next to the task, and used wherever review is decided."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import binomtest

from llmbatch.analysis.calibrate_run import calibrate_run
from llmbatch.analysis.fit import Calibrated, Method
from llmbatch.analysis.gold import GoldOptions
from llmbatch.analysis.run_evaluation import evaluate_run
from llmbatch.runs.folder import RunFolder, load_record
from llmbatch.runs.ledger.recover import read_lines
from llmbatch.runs.options import RetryOptions
from llmbatch.session.run import is_to_be_retried
from tests.analysis.conftest import Served, classify_into, rows_of, write_jsonl
from tests.ledgers import ledger_rows

TASK = """
name = "news"

[[fields]]
name = "topic"
labels = [
  { name = "World", description = "Politics, wars, elections." },
  { name = "Sports", description = "Games, teams, players." },
  { name = "Business", description = "Markets, firms, money." },
  { name = "Sci/Tech", description = "Science, computers, space." },
]

[[fields]]
name = "names"
kind = "multi"
labels = [
  { name = "person", description = "A person." },
  { name = "firm", description = "A company." },
  { name = "country", description = "A country or its government." },
]
"""
WANTED = 0.85
LEAST_SURE = 0.8


def values_of(line: dict[str, Any]) -> tuple[str, list[str]]:
    """A row's topic and names."""
    topic, names = line["category"].removeprefix("topic=").split("; names=")
    return topic, names.split("|")


def lines_of(run: Path) -> list[dict[str, Any]]:
    return ledger_rows(run / "ledger.jsonl")


def in_review(run: Path) -> set[str]:
    return {json.loads(line)["id"] for line in (run / "review.jsonl").read_text().splitlines()}


@pytest.fixture(scope="module")
def calibrated(served: Served, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Calibrated]:
    """A run over real texts; gold that agrees on `World` from 0.8 on, on `Business` by chance, else always."""
    folder, chance = tmp_path_factory.mktemp("thresholds"), random.Random(3)
    (folder / "task.toml").write_text(TASK)
    classify_into(folder, served, rows_of("ag_news"), str(folder / "task.toml"))
    gold = []
    for line in lines_of(folder / "run"):
        topic, names = values_of(line)
        uncertain = topic == "World" and line["confidences"]["topic"] < LEAST_SURE
        is_wrong = uncertain or (topic == "Business" and chance.random() < 0.5)
        of_gold = [name for name in names if name != "(none)"]
        gold.append({"id": line["id"], "topic": "Sports" if is_wrong else topic, "names": of_gold})
    options = GoldOptions(str(write_jsonl(folder / "gold.jsonl", gold)))
    return folder, calibrate_run(folder / "run", options, method=Method.auto, out=None, wanted=WANTED)


def test_a_label_passes_from_the_confidence_that_shows_its_precision(calibrated: tuple[Path, Calibrated]) -> None:
    folder, found = calibrated
    assert found.thresholds is not None
    shown = found.thresholds.shown
    assert shown["topic=Sports"] < LEAST_SURE
    assert 0.5 < shown["topic=World"], "wrong wherever the confidence is low"
    assert "topic=Business" not in shown
    gold = {row["id"]: row for row in map(json.loads, (folder / "gold.jsonl").read_text().splitlines())}
    for label in found.thresholds.labels:
        if label.threshold is not None and label.label is not None and label.label.startswith("topic="):
            topic = label.label.removeprefix("topic=")
            passed = [
                gold[line["id"]]["topic"] == topic
                for line in lines_of(folder / "run")
                if values_of(line)[0] == topic and line["confidences"]["topic"] >= label.threshold
            ]
            assert label.passed == len(passed)
            one_sided = binomtest(sum(passed), len(passed), WANTED, alternative="greater")
            assert one_sided.pvalue < 0.05, "confirmed by another library's exact test"


def test_stored_thresholds_decide_review_everywhere(calibrated: tuple[Path, Calibrated], served: Served) -> None:
    folder, found = calibrated
    assert found.thresholds is not None
    sent = served.requests
    summary = classify_into(folder, served, rows_of("ag_news"), str(folder / "task.toml"), review_below=0.3)
    assert served.requests == sent, "new thresholds send no requests"
    shown, others = found.thresholds.shown, found.thresholds.of_others
    expected, record = set(), load_record(RunFolder(folder / "run"))
    lines = [record.reread(line) for _, line in read_lines(folder / "run" / "ledger.jsonl")]
    now = {line.id: line.confidence for line in lines}
    for line in lines_of(folder / "run"):
        field_confidences = line["confidences"]
        topic, names = values_of(line)
        given = {
            f"topic={topic}": field_confidences["topic"],
            **{f"names={n}": field_confidences.get(f"names={n}", field_confidences["names"]) for n in names},
        }
        limits = {label: shown.get(label, others) for label in given}
        too_low = any(limit is not None and given[label] < limit for label, limit in limits.items())
        if too_low or (None in limits.values() and (now[line["id"]] or 0) < 0.3):
            expected.add(line["id"])
    assert expected
    assert in_review(folder / "run") == expected
    assert summary.rows.review == len(expected)
    retried = {line.id for line in lines if is_to_be_retried(line, RetryOptions(review=True), record.review)}
    assert retried == expected
    evaluation = evaluate_run(folder / "run", GoldOptions(str(folder / "gold.jsonl")), wanted=WANTED)
    assert evaluation.review_share == pytest.approx(len(expected) / len(lines))
    assert any("same gold file" in note for note in evaluation.notes)


def test_without_label_thresholds_a_run_has_one_threshold_again(
    calibrated: tuple[Path, Calibrated], served: Served, tmp_path: Path
) -> None:
    folder, _ = calibrated
    rows = rows_of("ag_news")[:20]
    (tmp_path / "task.toml").write_text(TASK)
    (tmp_path / "task.calibration.json").write_bytes((folder / "task.calibration.json").read_bytes())
    task = str(tmp_path / "task.toml")
    classify_into(tmp_path, served, rows, task, calibration="none", review_below=0.9)
    assert in_review(tmp_path / "run") == {
        line["id"] for line in lines_of(tmp_path / "run") if line["confidence"] < 0.9
    }
