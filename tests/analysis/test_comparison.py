"""Comparing arms: figures against reference libraries, and real runs on the same rows."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from rich.console import Console
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.inter_rater import cohens_kappa

from llmbatch.analysis.compare import CompareOptions, compare_runs
from llmbatch.analysis.comparison import Arm, ArmAnswer, compare, compared_json
from llmbatch.analysis.gold import GoldOptions
from llmbatch.analysis.paired import rows_to_tell
from llmbatch.core.errors import UsageError
from llmbatch.core.ledger_line import FAILED, RowError
from llmbatch.engine.sending import Sending
from llmbatch.observe.observer import Observer
from llmbatch.spend.options import BudgetOptions
from llmbatch.terminal.comparison import render_comparison
from tests.analysis.conftest import Served, rows_of, write_jsonl
from tests.ledgers import lines_of, write_lines


def arm(name: str, labels: list[str | None], **changes: Any) -> Arm:
    fields: dict[str, Any] = {"answers": 1, "invalid": 0, "cost_nanousd": 1000, "latency_s": 0.5, **changes}
    return Arm(name, name, "task", tuple(ArmAnswer(label, 0.9, None, **fields) for label in labels))


def test_agreement_kappa_and_mcnemar_match_references() -> None:
    random = np.random.default_rng(4)
    gold = [str(label) for label in random.choice(list("abc"), 200)]
    one, two = (
        [label if right else "a" for label, right in zip(gold, random.random(200) < share, strict=True)]
        for share in (0.6, 0.8)
    )
    first, other = arm("one", [*one]), arm("two", [*two], cost_nanousd=3000, latency_s=0.25)
    (versus,) = compare([first, other], gold).versus
    assert versus.agreement.count == sum(a == b for a, b in zip(one, two, strict=True))
    table = np.zeros((3, 3))
    for a, b in zip(one, two, strict=True):
        table["abc".index(a), "abc".index(b)] += 1
    assert versus.kappa == pytest.approx(cohens_kappa(table).kappa)
    right = np.array([[a == g, b == g] for a, b, g in zip(one, two, gold, strict=True)])
    both = [[(right[:, 0] & right[:, 1]).sum(), (right[:, 0] & ~right[:, 1]).sum()],
            [(~right[:, 0] & right[:, 1]).sum(), (~right[:, 0] & ~right[:, 1]).sum()]]  # fmt: skip
    assert versus.mcnemar is not None
    assert [versus.mcnemar.first_alone_right, versus.mcnemar.other_alone_right] == [both[0][1], both[1][0]]
    assert versus.mcnemar.p_value == pytest.approx(mcnemar(both, exact=True).pvalue)
    assert (versus.cost_ratio, versus.latency_ratio) == (3.0, 0.5)


def test_the_planned_number_of_rows_shows_the_difference_in_80_percent_of_cases() -> None:
    rows = rows_to_tell(0.05, 0.12)
    assert rows is not None
    random = np.random.default_rng(5)
    draws = random.multinomial(rows, [0.05, 0.12, 0.83], 4000)
    low, apart = draws[:, 0], draws[:, 0] + draws[:, 1]
    z = (apart - 2 * low) / np.sqrt(np.maximum(apart, 1))
    assert (np.abs(z) > 1.96).mean() == pytest.approx(0.8, abs=0.03)
    assert rows_to_tell(0.1, 0.1) is None


def test_a_row_without_a_label_counts_as_wrong_and_an_unasked_row_is_ignored() -> None:
    first = arm("one", ["a", None, "a", "b"])
    other = Arm("two", "two", "task", (*arm("two", ["a", "a", "b"]).answers, None))
    comparison = compare([first, other], ["a", "a", "a", None])
    accuracies = [figures.accuracy for figures in comparison.arms]
    assert [(one.count, one.total) for one in accuracies if one is not None] == [(2, 3), (2, 3)]
    assert comparison.versus[0].rows == 3
    assert comparison.versus[0].mcnemar is not None
    assert comparison.versus[0].mcnemar.p_value == 1
    nothing = compare([arm("one", []), arm("two", [])], [])
    assert nothing.versus[0].agreement.value is None


def test_two_models_label_the_same_rows_once(served: Served, tmp_path: Path) -> None:
    rows = rows_of("ag_news")
    source = write_jsonl(tmp_path / "docs.jsonl", [{"id": row["id"], "text": row["text"]} for row in rows])
    gold = write_jsonl(tmp_path / "gold.jsonl", [{"id": row["id"], "label": row["gold"]} for row in rows[100:]])
    options = CompareOptions(
        inputs=(str(source),),
        models=("gpt-6-luna", "gpt-4o-mini"),
        prompts=("ag_news",),
        rows=20,
        gold=GoldOptions(str(gold)),
        sending=Sending(base_url=served.url, budget=BudgetOptions(max_cost_nanousd=10**9)),
    )
    before = served.requests
    compared = compare_runs(options, Observer)
    assert (served.requests - before, compared.rows, compared.candidates, compared.exit_code) == (40, 20, 200, 0)
    assert compared.folder == tmp_path / "docs.compare.llmbatch"
    gold_of = {row["id"]: row["gold"] for row in rows}
    sample = [json.loads(line) for line in (compared.folder / "sample.jsonl").read_text().splitlines()]
    assert all(rows[row["input_row"]]["id"] == row["id"] for row in sample)
    for figures, folder in zip(compared.comparison.arms, sorted(compared.folder.glob("arm-*")), strict=True):
        views = [json.loads(line) for name in ("results", "review") for line in (folder / f"{name}.jsonl").open()]
        assert figures.accuracy is not None
        assert figures.accuracy.count == sum(row["category"] == gold_of[row["id"]] for row in views)
    assert compared.comparison.versus[0].agreement.value == 1, "the offline endpoint gives all models the same answers"
    assert compared.comparison.versus[0].cost_ratio is not None

    more = compare_runs(CompareOptions(**{**options_of(options), "rows": 30}), Observer)
    assert (served.requests - before, more.rows) == (60, 30), "a larger sample contains the smaller one"
    poor = Sending(base_url=served.url, budget=BudgetOptions(max_cost_nanousd=1000))
    stopped = compare_runs(CompareOptions(**{**options_of(options), "rows": 40, "sending": poor}), Observer)
    assert (stopped.exit_code, served.requests - before) == (5, 60), "the cost of all arms counts"
    assert any("stopped" in note for note in stopped.notes)
    assert json.dumps(compared_json(stopped))
    stream = io.StringIO()
    console = Console(file=stream, width=80, markup=False, emoji=False, highlight=False, color_system=None)
    render_comparison(stopped, console)
    assert max(map(len, stream.getvalue().splitlines())) <= 80


def test_an_arms_first_failures_still_count_when_it_is_rerun(served: Served, tmp_path: Path) -> None:
    rows = rows_of("ag_news")[:30]
    source = write_jsonl(tmp_path / "docs.jsonl", [{"id": row["id"], "text": row["text"]} for row in rows])
    gold = write_jsonl(tmp_path / "gold.jsonl", [{"id": row["id"], "label": row["gold"]} for row in rows])
    options = CompareOptions(
        inputs=(str(source),),
        models=("gpt-6-luna", "gpt-4o-mini"),
        prompts=("ag_news",),
        rows=20,
        gold=GoldOptions(str(gold)),
        sending=Sending(base_url=served.url),
    )
    first = compare_runs(options, Observer)
    (ledger, _) = (folder / "ledger.jsonl" for folder in sorted(first.folder.glob("arm-*")))
    lines = lines_of(ledger)
    invalid = {"status": FAILED, "category": None, "confidence": None, "parse": "invalid"}
    failed = [replace(line, **invalid, error=RowError("invalid", None, "no label")) for line in lines[:5]]
    timed_out = replace(failed.pop(), parse=None, error=RowError("timeout", None, "too slow"), cost_usd=0.0)
    write_lines(ledger, (*failed, timed_out, *lines))
    again = compare_runs(options, Observer)
    name = json.loads((ledger.parent / "run.json").read_text())["model"]
    before, after = (next(arm for arm in one.comparison.arms if arm.model == name) for one in (first, again))
    assert (before.invalid.count, after.invalid.count) == (0, 4)
    assert (before.labelled.count, after.labelled.count) == (20, 16), "a later answer replaces a timeout"
    assert before.cost_nanousd is not None
    assert after.cost_nanousd is not None
    assert after.cost_nanousd > before.cost_nanousd
    assert (len(first.looks), len(again.looks)) == (1, 1), "the same rows are not counted as another look"
    more = compare_runs(CompareOptions(**{**options_of(options), "rows": 25}), Observer)
    assert [look.rows for look in more.looks] == [20, 25]
    assert more.comparison.looks == 2


def options_of(options: CompareOptions) -> dict[str, Any]:
    return {name: getattr(options, name) for name in options.__slots__}


def test_a_single_arm_or_arms_with_different_labels_are_refused(tmp_path: Path) -> None:
    source = str(write_jsonl(tmp_path / "docs.jsonl", [{"id": 1, "text": "x"}]))
    with pytest.raises(UsageError, match="nothing to compare"):
        compare_runs(CompareOptions((source,), models=("m", "m")), Observer)
    with pytest.raises(UsageError, match="different labels"):
        compare_runs(CompareOptions((source,), prompts=("ag_news", "default")), Observer)
