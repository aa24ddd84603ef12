"""Fits a calibration and label thresholds to a run folder's answers, and stores them next to its task."""

from dataclasses import replace
from pathlib import Path

from llmbatch.analysis.evaluation import unanswerable_remark
from llmbatch.analysis.fit import Calibrated, Method
from llmbatch.analysis.fitted import as_calibration, fitted
from llmbatch.analysis.gold import GoldOptions, gold_issue_notes
from llmbatch.analysis.label_thresholds import LabelTable, label_thresholds
from llmbatch.analysis.pairs import Pair
from llmbatch.analysis.run_evaluation import JudgedRun, judge_run, require_statistics
from llmbatch.analysis.votes import fit_votes, votes_calibration
from llmbatch.core.ledger_line import CANARY, CONTROL, FAILED, LedgerLine
from llmbatch.core.rows import ConfidenceKind
from llmbatch.runs.calibrations import calibration_path, save_calibration
from llmbatch.runs.folder import RunFolder, RunRecord, now_text
from llmbatch.runs.ledger.recover import read_lines
from llmbatch.runs.trust import NO_TRUST, Trust, check_sources
from llmbatch.stats.profile import Asked
from llmbatch.task.label_thresholds import LabelThresholds
from llmbatch.task.load import BUILT_IN


def calibrate_run(
    path: Path,
    gold: GoldOptions,
    *,
    method: Method,
    out: Path | None,
    wanted: float | None = None,
    trust: Trust = NO_TRUST,
) -> Calibrated:
    """Fit a calibration to a run's answers, find its labels' thresholds, and store them.

    Args:
        path: the run folder.
        gold: where the gold labels are.
        method: how to fit.
        out: the calibration file; None for the task's own.
        wanted: required precision of each label that passes without review; None for no thresholds.
        trust: what the user says about the folder.

    Raises:
        UsageError: not a run folder, no gold row matches, too few texts, or the file cannot be written.
    """
    require_statistics("llmbatch calibrate")
    run = judge_run(path, gold, trust)
    record = run.record
    if out is None:
        what = f"no calibration is written next to {record.task_source}"
        check_sources(what, record, RunFolder(path), trust, else_say="name a file with --out FILE")
    kind, used = _of_one_kind(_own_pairs(path, run))
    fit, remark = fitted(used, method, must=wanted is None)
    table = None if wanted is None else label_thresholds(used, record.task.label_space, wanted=wanted)
    file, digest = None, run.judged.gold.digest
    calibration = None
    if fit is not None and fit.chosen is not None:
        calibration = as_calibration(fit, record.prompt, record.model, kind, offline=record.offline, gold=digest)
    limits = None if table is None or not (table.shown or table.of_others) else _limits(record, kind, table, digest)
    votes = fit_votes(path, run, method)
    of_votes = None if votes is None else votes_calibration(votes, record, digest)
    if unanswerable := unanswerable_remark(used, record.task.label_space):
        calibration, limits, of_votes, remark = None, None, None, unanswerable
    if calibration is not None or limits is not None or of_votes is not None:
        task = None if record.task_source == BUILT_IN else record.task_source
        file = out or calibration_path(task)
        save_calibration(file, calibration, limits)
        save_calibration(file, of_votes)
    return Calibrated(
        folder=str(path),
        task=record.task.name,
        model=record.model,
        offline=record.offline,
        gold_file=run.judged.gold.file,
        kind=kind,
        fit=fit,
        thresholds=table,
        file=file,
        remark=remark,
        votes=votes,
        notes=(*_notes(run, len(used)), *([] if calibration is None else [_stale_threshold(record)])),
    )


def _own_pairs(path: Path, run: JudgedRun) -> list[Pair]:
    """The gold rows as answered by the run's own prompt and model.

    A low-confidence row's own answer counts even if a stronger model had the final say: without these rows, the rest
    would not be a sample. Rows of a canary are left out, including those that the canary failed first.
    """
    asked = Asked(run.record.prompt, run.record.model)
    keys = {pair.key for pair in run.judged.pairs}
    own: dict[str, LedgerLine] = {}
    failed_by_canary: set[str] = set()
    for _, line in read_lines(RunFolder(path).ledger):
        if line.key not in keys or not line.can_be(run.record.task.label_space):
            continue
        if line.status == FAILED:
            failed_by_canary |= {line.key} if line.arm == CANARY else set()
        elif line.arm == CONTROL and Asked.of(line) == asked and line.raw_confidence is not None:
            own[line.key] = line
    return [
        replace(
            pair,
            answer=answered.category,
            confidence_raw=answered.raw_confidence,
            confidences=answered.confidences,
            confidence_from=answered.confidence_from,
        )
        for pair in run.judged.pairs
        if (answered := own.get(pair.key)) is not None and pair.key not in failed_by_canary
    ]


def _of_one_kind(own: list[Pair]) -> tuple[ConfidenceKind, list[Pair]]:
    """The rows with one kind of confidence: measured if there are any."""
    measured = [pair for pair in own if pair.confidence_from == ConfidenceKind.logprobs]
    return (ConfidenceKind.logprobs, measured) if measured else (ConfidenceKind.reported, own)


def _limits(record: RunRecord, kind: ConfidenceKind, table: LabelTable, gold: str) -> LabelThresholds:
    return LabelThresholds(
        prompt=record.prompt,
        model=record.model,
        offline=record.offline,
        confidence=kind,
        precision=table.wanted,
        labels=dict(table.shown),
        others=table.of_others,
        gold=gold,
        found_at=now_text(),
    )


def _stale_threshold(record: RunRecord) -> str:
    return (
        f"the review threshold {record.review_below:g} is stale: it was chosen for uncalibrated confidence. Run the "
        "classify command again, then llmbatch evaluate --apply"
    )


def _notes(run: JudgedRun, used: int) -> list[str]:
    notes = list(gold_issue_notes(run.judged.gold.issues))
    left_out = len(run.judged.pairs) - used
    if left_out:
        notes.append(
            "gold rows left out because they failed, were answered by another prompt or model, "
            f"or have another kind of confidence: {left_out:,}"
        )
    return notes
