"""Runs with labels from several prompts or models: evaluated separately."""

import io
from pathlib import Path

import pytest
from msgspec.structs import replace
from rich.console import Console

from llmbatch.analysis.calibrate_run import calibrate_run
from llmbatch.analysis.fit import Calibrated, Method
from llmbatch.analysis.gold import GoldOptions
from llmbatch.analysis.run_evaluation import evaluate_run
from llmbatch.core.errors import UsageError
from llmbatch.core.ledger_line import CANARY, CONTROL, ESCALATION, FAILED, JURY, VOTES, LedgerLine, RowError, Vote
from llmbatch.engine.scoring import Recalibration
from llmbatch.runs.calibrations import load_calibrations
from llmbatch.terminal.calibration import render_calibration
from tests.analysis.conftest import Classify, rows_of, write_jsonl
from tests.ledgers import lines_of, write_lines

OTHER = "0" * 12


@pytest.fixture
def run(classify: Classify, tmp_path: Path) -> Path:
    """A run of 150 rows, with a gold file."""
    rows = rows_of("banking77")[:150]
    classify(rows, "banking77")
    write_jsonl(tmp_path / "gold.jsonl", [{"id": row["id"], "label": row["gold"]} for row in rows])
    return tmp_path / "run"


def test_canary_rows_are_evaluated_separately_and_excluded_from_calibration(run: Path) -> None:
    gold = GoldOptions(str(run.with_name("gold.jsonl")))
    assert evaluate_run(run, gold, wanted=0.9).arms == ()
    lines = lines_of(run / "ledger.jsonl")
    failed = replace(lines[60], arm=CANARY, prompt=OTHER, status=FAILED, category=None, confidence=None,
                     error=RowError("invalid", None, "no label"))  # fmt: skip
    on_trial = [replace(line, arm=CANARY, prompt=OTHER) for line in lines[:60]]
    write_lines(run / "ledger.jsonl", [*on_trial, failed, *lines[60:]])
    evaluation = evaluate_run(run, gold, wanted=0.9)
    assert [(arm.arm, arm.accuracy.total) for arm in evaluation.arms] == [(CONTROL, 90), (CANARY, 60)]
    assert any("several prompts or models answered these rows (90 by control" in note for note in evaluation.notes)
    calibrated = calibrate_run(run, gold, method=Method.auto, out=run / "calibration.json")
    assert calibrated.fit is not None
    assert calibrated.fit.rows == 89, "nor does the row that the canary failed first"
    assert any("61" in note for note in calibrated.notes)


def test_an_escalated_rows_first_answer_is_used_for_calibration(run: Path) -> None:
    gold = GoldOptions(str(run.with_name("gold.jsonl")))
    before = calibrate_run(run, gold, method=Method.auto, out=run / "calibration.json").fit
    lines = lines_of(run / "ledger.jsonl")
    escalated = [replace(line, arm=ESCALATION, model="stronger", category="age_limit") for line in lines[:40]]
    write_lines(run / "ledger.jsonl", [*lines, *escalated])
    assert calibrate_run(run, gold, method=Method.auto, out=run / "calibration.json").fit == before


def test_with_gold_labels_not_in_the_task_nothing_is_recommended_or_stored(run: Path) -> None:
    path = run.with_name("other.jsonl")
    rows = rows_of("banking77")[:150]
    write_jsonl(path, [{"id": r["id"], "label": "politics" if n % 10 == 0 else r["gold"]} for n, r in enumerate(rows)])
    evaluation = evaluate_run(run, GoldOptions(str(path)), wanted=0.5)
    scores = evaluation.scores
    assert (scores.accuracy.total, scores.accuracy_of_task_labels.total, scores.unanswerable) == (150, 135, 15)
    assert scores.accuracy.count == scores.accuracy_of_task_labels.count
    assert evaluation.thresholds.recommended is None
    assert "15 of 150 gold rows have a label that the task does not have" in (evaluation.thresholds.remark or "")
    calibrated = calibrate_run(run, GoldOptions(str(path)), method=Method.platt, out=run / "calibration.json")
    assert calibrated.file is None
    assert "15 of 150" in (calibrated.remark or "")
    nothing = write_jsonl(run.with_name("none.jsonl"), [{"id": row["id"], "label": "politics"} for row in rows])
    with pytest.raises(UsageError, match="its labels are not in the task"):
        evaluate_run(run, GoldOptions(str(nothing)), wanted=0.5)


def test_using_the_whole_review_queue_as_gold_is_noted(classify: Classify, tmp_path: Path) -> None:
    rows = rows_of("ag_news")[:200]
    classify(rows, "ag_news", review_below=0.6)
    run = tmp_path / "run"
    uncertain = {line.id for line in lines_of(run / "ledger.jsonl") if (line.confidence or 0) < 0.6}
    assert uncertain
    write_jsonl(tmp_path / "gold.jsonl", [{"id": r["id"], "label": r["gold"]} for r in rows if r["id"] in uncertain])
    evaluation = evaluate_run(run, GoldOptions(str(tmp_path / "gold.jsonl")), wanted=0.9)
    assert any("differ from the run's other rows" in note for note in evaluation.notes)


def test_jury_verdicts_have_a_calibration_for_those_voters_only(run: Path) -> None:
    gold, out = GoldOptions(str(run.with_name("gold.jsonl"))), run / "calibration.json"
    before = calibrate_run(run, gold, method=Method.auto, out=out)
    assert before.votes is None
    lines = lines_of(run / "ledger.jsonl")
    voted = [_voted(line) for line in lines]
    write_lines(run / "ledger.jsonl", [*lines, *voted])
    after = calibrate_run(run, gold, method=Method.platt, out=out)
    assert after.votes is not None
    assert (after.votes.rows, after.votes.voters) == (150, f"{lines[0].model}+other")
    assert after.votes.fit is not None
    assert after.fit is not None
    assert after.fit.rows == 150, "votes are not answers of the run's own model"
    calibrations = load_calibrations(out).calibrations
    assert {one.confidence for one in calibrations} == {"reported", VOTES}
    reread = Recalibration(calibrations, offline=after.offline)
    rows = rows_of("banking77")
    right = sum(line.category == rows[line.row]["gold"] for line in lines)
    calibrated = sum(reread(line).confidence or 0 for line in voted)
    assert calibrated == pytest.approx(right, abs=5), "on average as accurate as their confidence"
    other = replace(voted[0], votes=(*voted[0].votes, replace(voted[0].votes[1], model="third")))
    assert reread(other) == other
    assert evaluate_run(run, gold, wanted=0.9).subject.model == lines[0].model
    assert "Verdicts of the jury, on held-out texts" in _shown(after)


def _voted(line: LedgerLine) -> LedgerLine:
    first = Vote(line.model, line.prompt, line.category or "", line.confidence or 0)
    return replace(line, arm=JURY, model="other", confidence_from=VOTES,
                   votes=(first, replace(first, model="other")))  # fmt: skip


def _shown(calibrated: Calibrated) -> str:
    console = Console(file=io.StringIO(), width=120)
    render_calibration(calibrated, console)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]
