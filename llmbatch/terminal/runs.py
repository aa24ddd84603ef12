"""Run folders as a table for people. The one that changed last is at the end, where it is seen."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.text import Text

from llmbatch.core.errors import Terminated
from llmbatch.core.money import to_nanousd
from llmbatch.core.plurals import counted
from llmbatch.core.sanitize import neutral
from llmbatch.observe.listing import RUNNING, UNREADABLE, ListedRun, Listing, Waste
from llmbatch.spend.days import utc_now
from llmbatch.terminal.figures import dollars, megabytes
from llmbatch.terminal.tables import Column, edge, fitted, print_stripped

_STYLES = {
    "finished": "green",
    "running": "bold cyan",
    "incomplete": "yellow",
    "interrupted": "yellow",
    "killed": "bold yellow",
    "stopped": "bold red",
    UNREADABLE: "bold red",
}


_EVERY_S = 2.0


def render_runs(listing: Listing, console: Console) -> None:
    """Print the table, then a line that sums it up."""
    print_stripped(console, runs_parts(listing, console), may_be_wide=True)


def screen_of_runs(listing: Listing, console: Console) -> RenderableType:
    """The same within a terminal's height: as many of the latest runs as fit."""
    latest = min(len(listing.runs), console.height)
    while True:
        parts = Group(*runs_parts(listing, console, latest=latest))
        if latest <= 1 or len(console.render_lines(parts)) <= console.height:
            return parts
        latest -= 1


def runs_parts(listing: Listing, console: Console, *, latest: int | None = None) -> Iterator[RenderableType]:
    """The table and its notes, for a console's width; `latest` limits the number of runs."""
    runs = listing.runs[-latest:] if latest else listing.runs
    width = edge(console)
    if earlier := len(listing.runs) - len(runs):
        yield Text(f"  {counted(earlier, 'earlier run')}, llmbatch runs shows all", style="dim")
    if runs:
        table, left_out = fitted(Column("folder", [Text(neutral(run.folder)) for run in runs]), _columns(runs), width)
        yield Padding(table, (0, 0, 0, 2), expand=False)
        if left_out:
            yield Text(f"  not shown at this width: {', '.join(left_out)}", style="dim")
    for run in runs:
        if run.problem is not None:
            yield Text(f"  {neutral(run.folder)}: {neutral(run.problem, limit=300)}", style="red")
    if not listing.is_whole:
        yield Text("  not all folders were looked into: there are too many", style="yellow")
    yield Text(_headline(listing.runs), style="bold")


def _headline(runs: tuple[ListedRun, ...]) -> str:
    if not runs:
        return "no run folder here or below"
    spent = sum(to_nanousd(run.cost_usd) for run in runs if run.cost_usd is not None and not run.offline)
    parts = [counted(len(runs), "run"), f"{dollars(spent)} spent"]
    if running := sum(run.state == RUNNING for run in runs):
        parts.insert(1, f"{running} running")
    if review := sum(run.review or 0 for run in runs):
        parts.append(f"{counted(review, 'row')} in review")
    return ", ".join(parts)


def _columns(runs: tuple[ListedRun, ...]) -> list[Column]:
    return [
        Column("state", [Text(run.state, style=_STYLES.get(run.state, "")) for run in runs], is_text=True),
        Column("rows", [Text(_count(run.rows)) for run in runs], rank=2),
        Column("labelled", [Text(_labelled(run)) for run in runs]),
        Column("review", [Text(_count(run.review)) for run in runs]),
        Column("failed", [Text(_count(run.failed)) for run in runs], rank=3),
        Column("cost", [Text(_cost(run)) for run in runs]),
        Column("accuracy", [Text(_accuracy(run)) for run in runs], rank=1),
        Column("interval", [Text(_interval(run)) for run in runs], rank=3),
        Column("changed", [Text(_changed(run)) for run in runs], is_text=True),
        Column("model", [Text(neutral(run.model or "")) for run in runs], rank=4, is_text=True),
        Column("task", [Text(neutral(run.task or "")) for run in runs], rank=5, is_text=True),
    ]


def _labelled(run: ListedRun) -> str:
    """The labelled rows; for a run without final totals, from the current ledger."""
    return _count(run.labelled) if run.outcomes is None else f"{run.outcomes:,} so far"


def _count(count: int | None) -> str:
    return "-" if count is None else f"{count:,}"


def _cost(run: ListedRun) -> str:
    if run.cost_usd is None:
        return "-"
    return "free" if run.offline else dollars(to_nanousd(run.cost_usd))


def _accuracy(run: ListedRun) -> str:
    found = run.accuracy
    return "-" if found is None else f"{found.value:.1%}"


def _interval(run: ListedRun) -> str:
    found = run.accuracy
    return "" if found is None else f"{100 * found.low:.0f}-{found.high:.0%}"


def _changed(run: ListedRun) -> str:
    """The day of the last change, or its time if it was today; both UTC."""
    day, _, clock = (run.updated_at or "-").partition("T")
    return neutral(f"{clock[:5]} UTC" if day == f"{utc_now():%Y-%m-%d}" else day)


def watch_runs(listing: Callable[[], Listing], console: Console) -> None:
    """Refresh the table every two seconds, until a signal ends it."""
    with Live(console=console, auto_refresh=False, screen=True) as live, suppress(Terminated):
        while True:
            live.update(screen_of_runs(listing(), console), refresh=True)
            time.sleep(_EVERY_S)


def render_waste(found: Sequence[Waste], console: Console) -> None:
    """Print what can be deleted, and how much space that frees."""
    width = edge(console)
    parts: list[RenderableType] = []
    if found:
        table, _ = fitted(
            Column("what", [Text(counted(one.count, one.kind)) for one in found]),
            [
                Column("size", [Text(megabytes(one.bytes)) for one in found]),
                Column("where", [Text(neutral(one.place)) for one in found], rank=1, is_text=True),
            ],
            width,
        )
        parts.append(Padding(table, (0, 0, 0, 2), expand=False))
    freed = megabytes(sum(one.bytes for one in found))
    parts.append(Text(f"{freed} can be freed" if found else "there is nothing to clean up", style="bold"))
    print_stripped(console, parts, may_be_wide=True)
