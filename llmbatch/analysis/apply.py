"""Writes the recommended review threshold into the run's task file."""

from dataclasses import dataclass
from pathlib import Path

from llmbatch.analysis.evaluation import Evaluation
from llmbatch.core.errors import UsageError
from llmbatch.runs.folder import RunFolder, load_record
from llmbatch.runs.trust import NO_TRUST, Trust, check_sources
from llmbatch.task.load import BUILT_IN, load_task, packaged_tasks
from llmbatch.task.threshold import write_review_below


@dataclass(frozen=True, slots=True)
class Applied:
    """A threshold that was written into a task file."""

    task: str
    review_below: float
    before: float | None
    """The previous threshold; None if there was none."""


def apply_threshold(run: Path, evaluation: Evaluation, trust: Trust = NO_TRUST) -> Applied:
    """Write the threshold that an evaluation recommends into the task file of its run.

    Raises:
        UsageError: none is recommended, or the task is not a writable file.
    """
    recommended, remark = evaluation.thresholds.recommended, evaluation.thresholds.remark
    if recommended is None:
        raise UsageError(f"--apply: no threshold is recommended: {remark}", hint="nothing was written")
    by_hand = f"instead, pass --review-below {recommended.threshold:g}"
    record = load_record(RunFolder(run))
    if record.task_source in (BUILT_IN, *packaged_tasks()):
        raise UsageError(
            f"--apply: {record.task_source} is built in and cannot be changed",
            hint=f"{by_hand}, or set it in llmbatch.toml",
        )
    check_sources("--apply cannot write the threshold", record, RunFolder(run), trust, else_say=by_hand)
    now = load_task(record.task_source).task
    if now.model_copy(update={"model": record.task.model}) != record.task:
        raise UsageError(
            f"--apply: {record.task_source} has changed since the run", hint="run classify again, then evaluate that"
        )
    before = write_review_below(Path(record.task_source), recommended.threshold)
    return Applied(record.task_source, recommended.threshold, before)
