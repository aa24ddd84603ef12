"""Spending as a table for people."""

import os
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from llmbatch.core.plurals import counted
from llmbatch.core.sanitize import neutral
from llmbatch.core.usage import UsageTotals
from llmbatch.spend.report import Group as Line
from llmbatch.spend.report import Report
from llmbatch.terminal.figures import cached_share, dollars
from llmbatch.terminal.tables import Column, edge, fitted, print_stripped

_MOST_GROUPS = 50
_LONGEST_NAME = 192


def render_spending(report: Report, console: Console) -> None:
    """Print a report. Groups beyond the first fifty are one line; `--json` has them all."""
    print_stripped(console, _parts(report, edge(console)), may_be_wide=True)


def _parts(report: Report, width: int | None) -> Iterator[RenderableType]:
    yield Text(_headline(report), style="bold")
    if (before := report.total.before) is not None and before.rows and report.total.now.rows:
        yield Text(f"  {_why(report.total.now, before)}")
    if report.groups:
        table, left_out = _table(report, width)
        yield Padding(table, (1, 0, 0, 2), expand=False)
        if left_out:
            yield Text(f"  not shown at this width: {', '.join(left_out)}; --json has all", style="dim")
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
    """Whether there were more rows, or more expensive ones, and whether the prompt cache is the cause."""
    each, each_before = now.priced_nanousd * 1000 // now.rows, before.priced_nanousd * 1000 // before.rows
    return (
        f"{counted(now.rows, 'row')} ({_change(now.rows, before.rows)}), {dollars(each)} per 1,000 rows "
        f"({_change(each, each_before)}), {_cached(now)} of the input cached ({_cached(before)} before)"
    )


def _table(report: Report, width: int | None) -> tuple[Table, list[str]]:
    lines = _shown(report)
    figures = [
        Column("rows", [Text(f"{line.now.rows:,}") for line in lines], rank=1),
        Column("requests", [Text(f"{line.now.requests:,}") for line in lines], rank=7),
        Column(
            "tokens in", [_if_reported(line, f"{line.now.input_tokens:,}", "not reported") for line in lines], rank=5
        ),
        Column("cached", [_if_reported(line, _cached(line.now), "") for line in lines], rank=3),
        Column("out", [_if_reported(line, f"{line.now.output_tokens:,}", "") for line in lines], rank=6),
        Column("cost", [Text(dollars(line.now.priced_nanousd)) for line in lines]),
        Column("per 1,000", [Text(_per_thousand(line.now)) for line in lines], rank=2),
    ]
    if any(line.now.possibly_billed_nanousd for line in report.groups):
        figures.append(Column("may be more", [Text(_possibly(line.now)) for line in lines], rank=4))
    if any(line.before is not None for line in report.groups):
        before = [line.before or UsageTotals() for line in lines]
        figures.append(Column("before", [Text(dollars(usage.priced_nanousd)) for usage in before], rank=4))
        changes = [
            Text(_change(line.now.priced_nanousd, usage.priced_nanousd))
            for line, usage in zip(lines, before, strict=True)
        ]
        figures.append(Column("change", changes, rank=2))
    return fitted(Column(neutral(report.by), [_name(line) for line in lines]), figures, width)


def _name(line: Line) -> Text:
    name = line.name.removeprefix(f"{Path.cwd()}{os.sep}")  # for a run folder below the current folder
    return Text(neutral(name, limit=_LONGEST_NAME))


def _if_reported(line: Line, figure: str, otherwise: str) -> Text:
    return Text(figure if line.now.is_usage_reported else otherwise)


def _per_thousand(usage: UsageTotals) -> str:
    return dollars(usage.priced_nanousd * 1000 // usage.rows) if usage.rows else ""


def _possibly(usage: UsageTotals) -> str:
    return dollars(usage.possibly_billed_nanousd) if usage.possibly_billed_nanousd else ""


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
