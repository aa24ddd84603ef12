"""How a review stands, and what came of an import, for people."""

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from llmbatch.neutral import neutral
from llmbatch.review.error_rate import ErrorRate
from llmbatch.review.importing import Imported
from llmbatch.review.status import ReviewStatus
from llmbatch.review.walk import Walked
from llmbatch.screen.figures import counted, percent

_MOST_REFUSED = 20


def render_review(status: ReviewStatus, console: Console) -> None:
    """Print how a review stands."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in _lines(status):
        table.add_row(name, Text(value))
    console.print(Padding(table, (1, 0, 0, 2), expand=False))
    for conflict in status.conflict_rows:
        said = ", ".join(f"{neutral(who)}: {neutral(label)}" for who, label in conflict.decisions)
        console.print(
            Text(f"  conflict  {neutral(str(conflict.id), limit=40)} (row {conflict.row})  {said}", "magenta")
        )


def imported_lines(imported: Imported) -> Sequence[str]:
    """What came of an import: one line, and one for each refused line of the file."""
    lines = [f"line {one.line}: {neutral(one.why, limit=200)}" for one in imported.refused[:_MOST_REFUSED]]
    if (more := len(imported.refused) - len(lines)) > 0:
        lines.append(f"... and {more:,} more")
    if not imported.saved:
        return [*lines, f"nothing was imported: {counted(len(imported.refused), 'line')} refused"]
    told = [f"{counted(imported.taken, 'decision')} imported"]
    told += [f"{imported.unchanged:,} stood already"] if imported.unchanged else []
    told += [f"{counted(imported.blank, 'line')} without a decision"] if imported.blank else []
    told += [f"{counted(len(imported.refused), 'line')} refused"] if imported.refused else []
    if imported.conflicts:
        told.append(f"{imported.conflicts:,} differ from what others decided since the export: both are kept")
    return [*lines, ", ".join(told)]


def walked_lines(walked: Walked) -> Sequence[str]:
    """How far a walk has come."""
    progress = walked.progress
    left = progress.total - progress.decided
    told = f"{progress.decided:,} of {progress.total:,} decided, {progress.corrected:,} otherwise than the model"
    lines = [f"{told}; {left:,} left" if left else told]
    if not walked.in_views:
        lines.append("a run is under way on the folder: its results will have the decisions when it ends")
    return lines


def rate_text(rate: ErrorRate) -> str:
    """`3 of 50 wrong: 6.0% (95%: 2.1% to 16.2%)`."""
    if not rate.checked:
        return "none checked yet"
    low, high = rate.interval
    spread = f"{percent(low, 1)} to {percent(high, 1)}"
    return f"{rate.wrong:,} of {rate.checked:,} wrong: {percent(rate.wrong, rate.checked)} (95%: {spread})"


def _lines(status: ReviewStatus) -> Iterator[tuple[str, str]]:
    yield "waiting", f"{status.waiting:,} in review, {status.failed:,} failed"
    corrected = f", {status.corrected:,} of them otherwise than the model" if status.reviewed else ""
    yield "decided", f"{counted(status.reviewed, 'row')} by people{corrected}"
    for reviewer, rows in status.reviewers.items():
        yield "", f"{neutral(reviewer)} {rows:,}"
    if status.conflicts:
        yield "conflicts", f"{counted(status.conflicts, 'row')} that people decided differently"
    if status.stale:
        yield "stale", f"{counted(status.stale, 'decision')} whose text or prompt has changed since"
    if status.sample is not None:
        yield "sample", f"{counted(status.sample.rows, 'row')}, {rate_text(status.sample.all)}"
        yield "", f"of those that passed without review, {rate_text(status.sample.passed)}"
