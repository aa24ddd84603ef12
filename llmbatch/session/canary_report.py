"""A run's canary afterwards: its report and its promotion."""

from dataclasses import dataclass
from pathlib import Path

from llmbatch.core.errors import UsageError
from llmbatch.core.files import check_own, create_numbered, replacing
from llmbatch.observe.summary import CanaryReport
from llmbatch.runs.folder import CanaryRecord, RunFolder, RunRecord
from llmbatch.runs.ledger.recover import read_lines
from llmbatch.runs.recalled_experiments import recalled_experiments
from llmbatch.runs.standing import standing_run
from llmbatch.runs.trust import NO_TRUST, Trust, check_sources
from llmbatch.session.standing import refresh_views
from llmbatch.task.load import load_task


@dataclass(frozen=True, slots=True)
class Promoted:
    """The result. `path` is None if the canary used the run's own task file, `model` if it used the run's model."""

    path: Path | None
    kept: Path | None
    model: str | None


def canary_report(path: Path) -> CanaryReport:
    """The canary of a run folder compared with the control.

    Raises:
        UsageError: it is not a run folder, or it has had no canary.
    """
    folder, record = standing_run(path)
    refresh_views(folder, record)
    experiments, reread = recalled_experiments(record), record.reread
    for _, line in read_lines(folder.ledger):
        experiments.watch(reread(line))
    experiments.end_batch()
    report = experiments.report().canary
    if report is None:
        raise UsageError(f"{path}: this run has had no canary", hint="try one with classify --canary-prompt FILE")
    return report


def promote_canary(run: Path, to: Path | None, trust: Trust = NO_TRUST) -> Promoted:
    """Write the canary's task file to `to`, or replace the run's own, of which a copy is kept.

    Args:
        run: the run folder.
        to: where to write it; None for the run's own task file.
        trust: how far the user trusts the folder, which names both files.

    Raises:
        UsageError: there was no canary, the folder belongs to someone else, its file has changed since, or the target
            cannot be written.
    """
    folder, record = standing_run(run)
    refresh_views(folder, record)
    canary = record.canary
    if canary is None:
        raise UsageError(f"{run}: this run has had no canary", hint="try one with classify --canary-prompt FILE")
    model = canary.model if canary.model != record.model else None
    if canary.task == record.task:
        return Promoted(None, None, model)
    what = f"{canary.task_source} was not copied"
    check_sources(what, record, RunFolder(run), trust, else_say="copy the canary's task file yourself")
    content = _content(canary)
    target = to or _own_file(record)
    kept = None
    check_own(target)
    try:
        if target.exists():
            kept, file = create_numbered(target.parent, f"{target.stem}.before", target.suffix, 0o666)
            with file:
                file.write(target.read_bytes())
        with replacing(target, keep_mode=True) as file:
            file.write(content)
    except OSError as error:
        raise UsageError(f"{target}: cannot be written ({error.strerror})") from None
    return Promoted(target, kept, model)


def _content(canary: CanaryRecord) -> bytes:
    path = Path(canary.task_source)
    if not path.is_file() or load_task(str(path)).task != canary.task:
        raise UsageError(
            f"{canary.task_source} has changed since the canary ran",
            hint="restore the file that the canary ran with, then promote it",
        )
    return path.read_bytes()


def _own_file(record: RunRecord) -> Path:
    path = Path(record.task_source)
    if not path.is_file():
        raise UsageError(
            f"the run's own task ({record.task_source}) is not a file that can be replaced",
            hint="choose where to write it with --to FILE",
        )
    return path
