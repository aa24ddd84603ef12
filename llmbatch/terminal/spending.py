"""What was spent, as a table for people."""

import os
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from llmbatch.core.plurals import counted
from llmbatch.core.sanitize import neutral
from llmbatch.core.usage import UsageTotals
from llmbatch.spend.report import Group as Line
from llmbatch.spend.report import Report
from llmbatch.terminal.figures import cached_share, dollars

_MOST_GROUPS = 50
_NAME_WIDTH = 48


def render_spending(report: Report, console: Console) -> None:
    """Print a report. Beyond fifty groups the rest is one line; `--json` has them all."""
    with console.capture() as captured:
        console.print(Group(*_parts(report)))
    for line in captured.get().splitlines():
        console.file.write(f"{line.rstrip()}\n")
    console.file.flush()


def _parts(report: Report) -> Iterator[RenderableType]:
    yield Text(_headline(report), style="bold")
    if (before := report.total.before) is not None and before.rows and report.total.now.rows:
        yield Text(f"  {_why(report.total.now, before)}")
    if report.groups:
        yield Padding(_table(report), (1, 0, 0, 2), expand=False)
    for note in report.notes:
        yield Text(f"  {neutral(note, limit=600)}", style="yellow")


def _headline(report: Report) -> str:
    spent = dollars(report.total.now.priced_nanousd)
    simulated = " simulated (free)" if report.offline else ""
    if report.period is None:
        return f"{spent}{simulated} by {neutral(report.by)}"
    since, until = report.period.since, report.period.until
    days = f"on {since}" if since == until else f"from {since} to {until}"
    before = report.total.before
    compared = ""
    if before is not None and before.priced_nanousd:
        change = _change(report.total.now.priced_nanousd, before.priced_nanousd)
        compared = (
            f", {change} against the {counted(report.period.days, 'day')} before ({dollars(before.priced_nanousd)})"
        )
    return f"{spent}{simulated} {days} (UTC){compared}"


def _why(now: UsageTotals, before: UsageTotals) -> str:
    """Whether there were more rows, or dearer ones, and whether the prompt cache is the cause."""
    each, each_before = now.priced_nanousd * 1000 // now.rows, before.priced_nanousd * 1000 // before.rows
    return (
        f"{counted(now.rows, 'row')} ({_change(now.rows, before.rows)}), {dollars(each)} per 1,000 rows "
        f"({_change(each, each_before)}), {_cached(now)} of the input cached ({_cached(before)} before)"
    )


def _table(report: Report) -> Table:
    compares = any(line.before is not None for line in report.groups)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(neutral(report.by), overflow="fold", max_width=_NAME_WIDTH)
    names = ["rows", "requests", "tokens in", "cached", "out", "cost", "per 1,000"]
    possibly = any(line.now.possibly_billed_nanousd for line in report.groups)
    names += ["may be more"] if possibly else []
    names += ["before", "change"] if compares else []
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    for line in _shown(report):
        table.add_row(*_cells(line, possibly=possibly, compares=compares))
    return table


def _shown(report: Report) -> list[Line]:
    shown, rest = list(report.groups[:_MOST_GROUPS]), report.groups[_MOST_GROUPS:]
    if rest:
        before = [line.before for line in rest if line.before is not None]
        now = sum((line.now for line in rest), UsageTotals())
        shown.append(Line(f"{len(rest):,} more", now, sum(before, UsageTotals()) if before else None))
    if len(shown) > 1:
        total = report.total
        shown.append(Line("total", total.now, total.before if report.by != "day" else None))
    return shown


def _cells(line: Line, *, possibly: bool, compares: bool) -> list[Text]:
    now, before = line.now, line.before or UsageTotals()
    name = line.name.removeprefix(f"{Path.cwd()}{os.sep}")  # of a run folder, where it lies under this one
    cells = [
        neutral(name, limit=_NAME_WIDTH * 4),
        f"{now.rows:,}",
        f"{now.requests:,}",
        f"{now.input_tokens:,}" if now.is_usage_reported else "not reported",
        _cached(now) if now.is_usage_reported else "",
        f"{now.output_tokens:,}" if now.is_usage_reported else "",
        dollars(now.priced_nanousd),
        dollars(now.priced_nanousd * 1000 // now.rows) if now.rows else "",
    ]
    cells += [dollars(now.possibly_billed_nanousd) if now.possibly_billed_nanousd else ""] if possibly else []
    cells += [dollars(before.priced_nanousd), _change(now.priced_nanousd, before.priced_nanousd)] if compares else []
    return [Text(cell) for cell in cells]


def _cached(usage: UsageTotals) -> str:
    return cached_share(usage.cached_input_tokens, usage.input_tokens, usage.cache_unreported_tokens)


def _change(now: int, before: int) -> str:
    """`+40.0%`, `-3.1%`, `new`, `gone`."""
    if now == before:
        return "0%"
    if not before:
        return "new"
    if not now:
        return "gone"
    return f"{100 * (now - before) / before:+,.1f}%"
