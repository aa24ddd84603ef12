"""Renders the state of a review and the outcome of an import as text."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from llmbatch.core.plurals import counted
from llmbatch.core.sanitize import neutral
from llmbatch.core.shares import percent
from llmbatch.review.agreement import Agreement, PairAgreement
from llmbatch.review.error_rate import ENOUGH, ErrorRate
from llmbatch.review.examples import Added
from llmbatch.review.history import Change, Trend
from llmbatch.review.importing import Imported
from llmbatch.review.settle import Settled, Walked
from llmbatch.review.status import ReviewStatus, SampleStatus

_MOST_REFUSED = 20
_LATEST_RUNS = 8


def render_review(status: ReviewStatus, trend: Trend | None, console: Console) -> None:
    """Print the state of a review, and the error rates of the latest runs."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in chain(_lines(status), _trend_lines(trend) if trend is not None else ()):
        table.add_row(name, Text(value))
    console.print(Padding(table, (1, 0, 0, 2), expand=False))
    for conflict in status.conflict_rows:
        said = ", ".join(f"{neutral(who)}: {neutral(label)}" for who, label in conflict.decisions)
        console.print(
            Text(f"  conflict  {neutral(str(conflict.id), limit=40)} (row {conflict.row})  {said}", "magenta")
        )


def status_json(status: ReviewStatus, trend: Trend | None) -> dict[str, Any]:
    """The state of a review as `--json` prints it: stable names, shares in 0..1, null if nothing was checked."""
    data = asdict(status)
    if status.sample is not None:
        data["sample"] |= {"all": _rate(status.sample.all), "passed": _rate(status.sample.passed)}
    data["conflict_rows"] = [
        {"row": one.row, "id": one.id, "decisions": dict(one.decisions)} for one in status.conflict_rows
    ]
    data["runs"] = [] if trend is None else [asdict(check) for check in trend.checks]
    data["change"] = None if trend is None or trend.change is None else asdict(trend.change)
    return data


def imported_lines(imported: Imported) -> Sequence[str]:
    """The outcome of an import: one line, plus one for each refused line of the file."""
    lines = [f"line {one.line}: {neutral(one.why, limit=200)}" for one in imported.refused[:_MOST_REFUSED]]
    if (more := len(imported.refused) - len(lines)) > 0:
        lines.append(f"... and {more:,} more")
    lines += [f"{field} can be: {neutral(', '.join(values))}" for field, values in imported.allowed.items() if values]
    if not imported.saved:
        return [*lines, f"nothing was imported: {counted(len(imported.refused), 'line')} refused"]
    counts = [f"{counted(imported.taken, 'decision')} imported"]
    counts += [f"{imported.unchanged:,} already decided this way"] if imported.unchanged else []
    counts += [f"{counted(imported.blank, 'line')} without a decision"] if imported.blank else []
    counts += [f"{counted(len(imported.refused), 'line')} refused"] if imported.refused else []
    if imported.conflicts:
        counts.append(
            f"{counted(imported.conflicts, 'decision')} in conflict with others made since the export: both are kept"
        )
    return [*lines, ", ".join(counts)]


def walked_lines(walked: Walked) -> Sequence[str]:
    """Progress of a review session."""
    progress = walked.progress
    left = progress.total - progress.decided
    decided = f"{progress.decided:,} of {progress.total:,} decided, {progress.corrected:,} corrected"
    lines = [f"{decided}; {left:,} left" if left else decided]
    return lines if walked.settled is None else [*lines, *settled_lines(walked.settled)]


def settled_lines(settled: Settled) -> Sequence[str]:
    """Where the decisions are now, and the random sample's error rate."""
    if not settled.in_views:
        return ["a run is in progress on this folder: its results will include the decisions when it ends"]
    lines = [f"warning: {neutral(change)}" for change in settled.input_changes]
    lines += [] if settled.sample is None else [f"random sample: {rate_text(settled.sample.all)}"]
    if settled.trend is not None and settled.trend.change is not None:
        lines.append(change_text(settled.trend.change))
    return lines


def change_text(change: Change) -> str:
    """`since mon.llmbatch: +2.0 points (95%: -5.1 to +9.4), within chance`."""
    spread = f"95%: {100 * change.low:+.1f} to {100 * change.high:+.1f}"
    verdict = "" if change.is_clear else ", within chance"
    return f"since {neutral(change.since)}: {100 * change.by:+.1f} points ({spread}){verdict}"


def added_lines(added: Added, task: Path) -> Sequence[str]:
    """Which examples were added to a task, which rows were left out, and the consequences."""
    lines = [f"left out: {count:,} {why}" for why, count in added.left_out.items()]
    if not added.examples:
        return [*lines, "no examples added: there are no more decided rows to add"]
    for label, count in Counter(added.values).items():
        lines.append(f"added: {count:,} {neutral(label)}")
    corrected = f"{added.corrected:,} from rows that the model got wrong"
    lines.append(f"{counted(len(added.examples), 'example')} added to {neutral(str(task))}, {corrected}")
    lines.append("the prompt has changed: the next classify sends all rows again; do not use these rows as gold")
    return lines


def rate_text(rate: ErrorRate) -> str:
    """`3 of 50 wrong: 6.0% (95%: 2.1% to 16.2%)`; the share is weighted to all rows and can differ from 3 of 50."""
    if rate.share is None:
        return "none checked yet"
    low, high = rate.interval
    spread = f"{percent(low, 1)} to {percent(high, 1)}"
    return f"{rate.wrong:,} of {rate.checked:,} wrong: {percent(rate.share, 1)} (95%: {spread})"


def _lines(status: ReviewStatus) -> Iterator[tuple[str, str]]:
    yield "waiting", f"{status.waiting:,} in review, {status.failed:,} failed"
    corrected = f", {status.corrected:,} of them corrected" if status.reviewed else ""
    yield "decided", f"{counted(status.reviewed, 'row')} by people{corrected}"
    for reviewer, rows in status.reviewers.items():
        yield "", f"{neutral(reviewer)} {rows:,}"
    if status.conflicts:
        yield "conflicts", f"{counted(status.conflicts, 'row')} that people decided differently"
    if status.agreement is not None:
        yield "agreement", _agreement_text(status.agreement)
        for pair in status.agreement.pairs:
            yield (
                "",
                f"{neutral(' and '.join(pair.reviewers), limit=80)}: {_same(pair)}, {_figure('kappa', pair.kappa)}",
            )
    if status.stale:
        yield "no longer apply", f"{counted(status.stale, 'decision')}: the text or the label no longer exists"
    if status.sample is not None:
        yield "sample", _sample_text(status.sample)
        yield "", f"of those that passed without review, {rate_text(status.sample.passed)}"


def _agreement_text(found: Agreement) -> str:
    return f"{_same(found)} labelled by two or more reviewers, {_figure('alpha', found.alpha)} (Krippendorff)"


def _same(found: Agreement | PairAgreement) -> str:
    return f"same label for {found.same:,} of {counted(found.texts, 'text')}"


def _figure(name: str, value: float | None) -> str:
    return f"{name} undefined: only one label occurs" if value is None else f"{name} {value:.3f}"


def _sample_text(sample: SampleStatus) -> str:
    """The error rate of all answered rows, or why it is not known yet."""
    rows = counted(sample.rows, "row")
    if sample.all.share is not None:
        weighting = "" if sample.all.estimate is None else "; weighted by the rows that passed and that are in review"
        return f"{rows}, {rate_text(sample.all)}{weighting}"
    if not sample.decided:
        return f"{rows}, none checked yet"
    needed = min(ENOUGH, sample.rows)
    return (
        f"{rows}, {sample.decided:,} decided; no rate for all rows before {needed} are decided in the order of "
        "llmbatch review --sample, of both kinds: passed, and in review"
    )


def _trend_lines(trend: Trend) -> Iterator[tuple[str, str]]:
    if len(trend.checks) > 1:
        for number, check in enumerate(trend.checks[-_LATEST_RUNS:]):
            where = f"{check.run_at[:10]}  {neutral(check.folder, limit=30)}"
            yield ("runs" if number == 0 else "", f"{where}  {rate_text(check.rate)}")
    if trend.change is not None:
        yield "", change_text(trend.change)


def _rate(rate: ErrorRate) -> dict[str, Any]:
    low, high = rate.interval
    return {"checked": rate.checked, "wrong": rate.wrong, "share": rate.share, "low": low, "high": high}
