"""A calibration fitted to a run folder's answers, and stored beside its task."""

from pathlib import Path

from llmbatch.calibration import Calibration
from llmbatch.evaluate.calibrate import Calibrated, Fit, Method, fit_calibration
from llmbatch.evaluate.gold import GoldOptions, gold_issues_told
from llmbatch.pipeline.calibrations import calibration_path, save_calibration
from llmbatch.pipeline.folder import RunRecord, now_text
from llmbatch.pipeline.studies.evaluation import JudgedRun, judge_run, require_statistics
from llmbatch.rows import ConfidenceKind
from llmbatch.task.load import BUILT_IN


def calibrate_run(path: Path, gold: GoldOptions, *, method: Method, out: Path | None) -> Calibrated:
    """Fit a calibration to a run's answers and store it.

    Args:
        path: the run folder.
        gold: where the gold labels are.
        method: how to fit.
        out: the calibration file; None for the task's own.

    Raises:
        UsageError: no run folder, no gold row fits it, too few rows, or the file cannot be written.
    """
    require_statistics("llmbatch calibrate")
    run = judge_run(path, gold)
    record = run.record
    kind, said, right = _of_one_kind(run)
    fit = fit_calibration(said, right, method)
    file = None
    if fit.chosen is not None:
        task = None if record.task_source == BUILT_IN else record.task_source
        file = out or calibration_path(task)
        save_calibration(file, _calibration(record, kind, fit, run.judged.gold.digest))
    return Calibrated(
        folder=str(path),
        task=record.task.name,
        model=record.model,
        offline=record.offline,
        gold_file=run.judged.gold.file,
        kind=kind,
        fit=fit,
        file=file,
        notes=tuple(_notes(run, len(said))),
    )


def _of_one_kind(run: JudgedRun) -> tuple[ConfidenceKind, list[float], list[bool]]:
    """Raw confidences and whether they are right, of the rows that the run's own model answered."""
    own = [pair for pair in run.judged.labelled if pair.model == run.record.model and pair.confidence_raw is not None]
    measured = [pair for pair in own if pair.confidence_from == ConfidenceKind.logprobs]
    kind = ConfidenceKind.logprobs if measured else ConfidenceKind.reported
    used = measured or own
    return kind, [pair.confidence_raw or 0.0 for pair in used], [pair.is_right for pair in used]


def _calibration(record: RunRecord, kind: ConfidenceKind, fit: Fit, gold: str) -> Calibration:
    return Calibration(
        prompt=record.prompt,
        model=record.model,
        offline=record.offline,
        confidence=kind,
        method="isotonic" if fit.chosen == Method.isotonic else "platt",
        points=fit.points,
        slope=fit.slope,
        intercept=fit.intercept,
        rows=fit.rows,
        gold=gold,
        fitted_at=now_text(),
    )


def _notes(run: JudgedRun, used: int) -> list[str]:
    notes = list(gold_issues_told(run.judged.gold.issues))
    left_out = len(run.judged.pairs) - used
    if left_out:
        notes.append(
            f"rows with gold left out: failed, or with another model's answer or kind of confidence: {left_out:,}"
        )
    return notes
