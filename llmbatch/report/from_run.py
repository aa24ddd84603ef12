"""Builds a page from run folders: each ledger and input is read once, into figures and rows to look at."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePath

from llmbatch.analysis.evaluation import Evaluation
from llmbatch.analysis.gold import GoldOptions
from llmbatch.analysis.run_evaluation import NoGoldRowError, evaluate_run
from llmbatch.core.errors import UsageError
from llmbatch.core.rows import Rejection
from llmbatch.core.sanitize import neutral
from llmbatch.observe.summary import Summary
from llmbatch.report.attention import Attention
from llmbatch.report.correctness import correctness
from llmbatch.report.html import write_html
from llmbatch.report.page import Page, render
from llmbatch.report.story import Story
from llmbatch.report.trends import RunFigures, render_trends
from llmbatch.runs.folder import RunFolder, RunRecord, load_record, now_text
from llmbatch.runs.outputs.outcome import Outcome
from llmbatch.runs.trust import NO_TRUST, Trust
from llmbatch.session.standing import show_run

_WANTED_PRECISION = 0.98


@dataclass(frozen=True, slots=True)
class _Gathered:
    record: RunRecord
    summary: Summary
    story: Story
    attention: Attention


def report_run(
    path: Path, out: Path | None = None, *, gold: GoldOptions | None = None, trust: Trust = NO_TRUST
) -> Path:
    """Write a run folder's page; works while another process is running on the folder.

    Args:
        path: the run folder.
        out: the file to write; `report.html` in the folder by default.
        gold: where the gold labels are, if there are any.
        trust: what the user says about the folder.

    Returns:
        The file that was written. If the input is gone, the page has no row list and says so.

    Raises:
        UsageError: not a run folder, its ledger is damaged, no gold row matches, or the file cannot be written.
    """
    run = _gathered(path, trust)
    page = Page(
        summary=run.summary,
        story=run.story,
        attention=run.attention,
        run_id=run.record.run_id,
        inputs=_inputs(run.record),
        on=_minute(run.record.updated_at),
        at=now_text(),
        correctness=None
        if gold is None
        else correctness(evaluate_run(path, gold, wanted=_WANTED_PRECISION, trust=trust)),
    )
    target = out or path / "report.html"
    write_html(target, render(page))
    return target


def report_runs(paths: Sequence[Path], out: Path, *, gold: GoldOptions | None = None, trust: Trust = NO_TRUST) -> None:
    """Write one page for several runs of a task, in order of start time, showing how their figures changed.

    Args:
        paths: the run folders.
        out: the file to write.
        gold: where the gold labels are, if there are any; runs that contain none of their rows have no accuracy.
        trust: what the user says about the folders.

    Raises:
        UsageError: as for `report_run`; or the runs have different tasks, or none of them contains a gold row.
    """
    records = {path: load_record(RunFolder(path)) for path in paths}
    tasks = {record.task.name: path for path, record in records.items()}
    if len(tasks) > 1:
        shown = ", ".join(f"{path} has {neutral(name, limit=40)!r}" for name, path in tasks.items())
        raise UsageError(f"these runs have different tasks: {shown}", hint="pass runs of one task only")
    ordered = sorted(records, key=lambda path: (records[path].created_at, str(path)))
    figures = [_figures(path, gold, trust) for path in ordered]
    if gold is not None and not any(run.accuracy for run in figures):
        raise UsageError(f"{gold.file}: none of its rows is in any of the runs")
    write_html(out, render_trends(neutral(next(iter(tasks)), limit=60), figures, at=now_text()))


def _gathered(path: Path, trust: Trust) -> _Gathered:
    record = load_record(RunFolder(path))
    story, attention = Story(record.review_below, record.task.label_space.parts_of), Attention()

    def look_at(item: Outcome | Rejection) -> None:
        if isinstance(item, Rejection):
            attention.reject(item)
        else:
            story.add_row(item)
            attention.look_at(item)

    summary = show_run(path, trust=trust, on_line=story.add_line, on_outcome=look_at)
    return _Gathered(record, summary, story, attention)


def _evaluated(path: Path, gold: GoldOptions, trust: Trust) -> Evaluation:
    return evaluate_run(path, gold, wanted=_WANTED_PRECISION, trust=trust)


def _figures(path: Path, gold: GoldOptions | None, trust: Trust) -> RunFigures:
    run = _gathered(path, trust)
    accuracy = None
    if gold is not None:
        with suppress(NoGoldRowError):  # its rows belong to other runs
            accuracy = _evaluated(path, gold, trust).accuracy
    arms = run.story.arms.values()
    labelled = sum(arm.labelled for arm in arms)
    return RunFigures(
        name=neutral(path.name or str(path), limit=80),
        on=_minute(run.record.created_at),
        inputs=_inputs(run.record),
        summary=run.summary,
        confidence=sum(arm.confidence_sum for arm in arms) / labelled if labelled else None,
        accuracy=accuracy,
    )


def _inputs(record: RunRecord) -> str:
    """A run's inputs by file name: `docs.jsonl`, or `a.jsonl and 3 more`."""
    name = record.inputs[0]
    if "://" in name:
        name = name.partition("?")[0]  # a signed URL's query holds credentials
    first = "standard input" if name == "-" else neutral(PurePath(name).name or name, limit=60)
    return first if len(record.inputs) == 1 else f"{first} and {len(record.inputs) - 1:,} more"


def _minute(time: str) -> str:
    """Format an RFC 3339 time to the minute: `2026-11-27 02:14 UTC`."""
    return f"{datetime.fromisoformat(time).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
