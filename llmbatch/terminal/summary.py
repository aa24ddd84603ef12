"""The summary that is printed after a run: what it did, what it cost, what to do next."""

from collections.abc import Iterable, Iterator, Mapping

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from llmbatch.core.plurals import counted
from llmbatch.core.sanitize import neutral
from llmbatch.core.service_tiers import priced_tier
from llmbatch.core.shares import percent
from llmbatch.core.usage import UsageTotals
from llmbatch.observe.summary import Summary
from llmbatch.terminal.experiments import experiment_sections
from llmbatch.terminal.figures import cached_share, dollars, duration

_MOST_LABELS, _FEWEST_LABELS = 20, 3
_BAR_WIDTH = 24
_NAME_WIDTH, _LONGEST_NAME = 40, 200
_STATE_STYLES = {
    "finished": "bold green",
    "incomplete": "bold yellow",
    "waiting": "bold yellow",
    "interrupted": "bold yellow",
    "stopped": "bold red",
}


def render_summary(summary: Summary, console: Console, *, verbose: bool = False) -> None:
    """Print a summary with the most important part at the end, where it is seen; empty sections are left out.

    Args:
        summary: of a session.
        console: where to print. On a terminal, labels are limited so that everything fits on one screen.
        verbose: include the decisions about the prompt.
    """
    bar = "#" if console.options.ascii_only else "█"
    most = _MOST_LABELS
    lines = _lines(summary, console, bar, verbose=verbose, most_labels=most)
    if console.file.isatty() and len(lines) >= console.height:
        shown = min(most, sum(count > 0 for count in summary.labels.values()))
        most = max(shown - (len(lines) - console.height) - 2, _FEWEST_LABELS)
        lines = _lines(summary, console, bar, verbose=verbose, most_labels=most)
    for line in lines:
        console.file.write(f"{line.rstrip()}\n")  # tables pad to their width, which is noise in a log
    console.file.flush()


def _lines(summary: Summary, console: Console, bar: str, *, verbose: bool, most_labels: int) -> list[str]:
    with console.capture() as captured:
        parts = _sections(summary, console, bar, verbose=verbose, most_labels=most_labels)
        console.print(Group(*parts), crop=False)
    return captured.get().splitlines()


def _sections(
    summary: Summary, console: Console, bar: str, *, verbose: bool, most_labels: int
) -> Iterator[RenderableType]:
    if any(summary.labels.values()):
        yield from _labels(summary.labels, summary.rows.ok + summary.rows.review, bar, most_labels)
    yield Text()
    yield from _aligned(_figure_lines(summary, verbose=verbose), console)
    yield from experiment_sections(summary.experiments)
    for note in summary.notes:
        yield _margin(Text(neutral(note, limit=600), style="yellow"))
    yield Text()
    yield _headline(summary)
    if summary.reason:
        yield _margin(Text(neutral(summary.reason, limit=600), style="red"))
    yield from _aligned(_outcome_lines(summary), console)


def _headline(summary: Summary) -> Text:
    style = _STATE_STYLES.get(summary.state, "bold")
    session = summary.session
    line = Text.assemble((summary.state.capitalize(), style), f"  {neutral(summary.folder)}")
    if session.answered or session.skipped:
        speed = f" in {duration(session.elapsed_s)} ({session.rows_per_s:,.1f}/s)" if session.answered else ""
        parts = [f"{counted(session.answered, 'row')}{speed}"]
        if alike := session.reused - session.from_earlier_runs:
            parts.append(f"{alike:,} of them duplicates, sent once")
        if session.from_earlier_runs:
            parts.append(f"{session.from_earlier_runs:,} from the answer cache")
        if session.skipped:
            parts.append(f"{session.skipped:,} finished before")
        line.append("  " + ", ".join(parts), style="dim")
    return line


def _outcome_lines(summary: Summary) -> Iterator[tuple[str, Text]]:
    """The outcome of the rows, the cost, and what to do next."""
    yield from _rows(summary)
    yield "cost", Text(_cost(summary))
    spent = summary.spent
    if spent.possibly_billed_requests:
        known = "" if spent.cost_nanousd is None else f"at most {dollars(spent.possibly_billed_nanousd)} more: "
        unanswered = counted(spent.possibly_billed_requests, "request")
        yield "", Text(f"{known}{unanswered} with an unknown outcome may have been billed")
    if summary.at_provider.parts:
        set_aside = dollars(summary.at_provider.at_most_nanousd)
        yield "", Text(f"at most {set_aside} more is set aside for batches at the provider")
    if summary.to_do:
        yield "to do", Text(neutral(summary.to_do, limit=600), style="yellow")
    for number, command in enumerate(summary.next_commands):
        yield "next" if number == 0 else "or", _copied(command, "cyan")


def _rows(summary: Summary) -> Iterator[tuple[str, Text]]:
    rows = summary.rows
    kinds = (
        ("labelled", rows.ok, "green", f"{rows.reviewed:,} of them by people" if rows.reviewed else ""),
        ("review", rows.review, "magenta", "low confidence, needs review"),
        ("failed", rows.failed, "red", _counted(summary.failures) if rows.failed else ""),
        ("unreadable", rows.rejected, "red", "" if rows.failed else _counted(summary.failures)),
        ("pending", rows.undone, "yellow", _pending(summary)),
    )
    shown = [kind for kind in kinds if kind[1] or kind[0] == "labelled"]
    width = max(len(f"{count:,}") for _, count, _, _ in shown)
    share_width = max(len(percent(count, rows.total)) for _, count, _, _ in shown)
    for name, count, style, remark in shown:
        share = f"  {percent(count, rows.total):>{share_width}}"
        line = Text.assemble((f"{count:>{width},}", style), (share, "dim"), (f"  {remark}", "dim"))
        line.rstrip()
        yield name, line


def _pending(summary: Summary) -> str:
    there = summary.at_provider
    if not there.parts:
        return "not done yet"
    expires = f", the first until {there.expires_at}" if there.expires_at else ""
    return f"{there.rows:,} at the provider in {counted(there.parts, 'batch part')}{expires}"


def _labels(labels: Mapping[str, int], rows: int, bar: str, most_labels: int) -> Iterator[RenderableType]:
    table = _grid()
    ranked = sorted(labels.items(), key=lambda item: -item[1])
    shown = [(name, count) for name, count in ranked if count][:most_labels]
    most = shown[0][1]
    for name, count in shown:
        length = max(round(_BAR_WIDTH * count / most), 1)
        table.add_row(
            Text(neutral(name, limit=_LONGEST_NAME)),
            f"{count:,}",
            Text(percent(count, rows), style="dim"),
            Text(bar * length, style="blue"),
        )
    yield _indented(table)
    hidden = [count for name, count in ranked if (name, count) not in shown]
    if hidden:
        rest = f"{counted(len(hidden), 'more label')}: {sum(hidden):,}"
        rest = rest if any(hidden) else f"{counted(len(hidden), 'label')} without rows"
        yield _margin(Text(rest, style="dim"))


def _aligned(lines: Iterable[tuple[str, Text]], console: Console) -> Iterator[Text]:
    """Names and values in two columns, with long values on several lines; text to be copied is never broken."""
    pairs = list(lines)
    name_width = max(len(name) for name, _ in pairs)
    indent = name_width + 4
    for name, value in pairs:
        whole = value.no_wrap or console.width <= indent
        parts = [value] if whole else value.wrap(console, console.width - indent)
        for number, part in enumerate(parts):
            shown = name if number == 0 else ""
            yield Text.assemble("  ", (f"{shown:<{name_width}}", "bold"), "  ", part, no_wrap=True, overflow="ignore")


def _copied(text: str, style: str = "") -> Text:
    """A path or a command on one line: a terminal wraps it without inserting a line end."""
    return Text(neutral(text), style=style, no_wrap=True)


def _figure_lines(summary: Summary, *, verbose: bool) -> Iterator[tuple[str, Text]]:
    """What the session used and encountered, and where its files are."""
    spent = summary.spent
    if spent.saved_nanousd:
        yield "saved", Text(f"{dollars(spent.saved_nanousd)} by cached and repeated answers")
    if spent.requests:
        yield "tokens", Text(_tokens(spent))
    size = "" if summary.prefix_why else f", prefix of {summary.prefix_tokens:,} tokens"
    yield "model", Text(f"{neutral(summary.model)}, task {neutral(summary.task)}{size}")
    if verbose and summary.prefix_why:
        yield "prompt", Text(neutral(summary.prefix_why))
    if any(priced_tier(tier) is not None for tier in summary.service_tiers):
        yield "tier", Text(_counted(summary.service_tiers))
    if summary.flags:
        yield "flagged", Text(_counted(summary.flags))
    if summary.retries:
        yield "retries", Text(_counted(summary.retries))
    answers, clean = sum(summary.parse.values()), summary.parse.get("clean", 0)
    if answers > clean:
        others = {kind: count for kind, count in summary.parse.items() if kind != "clean"}
        yield "answers", Text(f"{percent(clean, answers)} clean, {_counted(others)}")
    for name, path in summary.files.items():
        if name in ("results", "sample") or _count_in(summary, name):
            yield name, _copied(path)


def _tokens(spent: UsageTotals) -> str:
    if not spent.is_usage_reported:
        return f"not reported; {counted(spent.requests, 'request')}"
    cached = cached_share(spent.cached_input_tokens, spent.input_tokens, spent.cache_unreported_tokens)
    cached = f"cached tokens {cached}" if spent.cached_share is None else f"{cached} cached"
    thinking = f", {spent.reasoning_tokens:,} of it thinking" if spent.reasoning_tokens else ""
    given = f"{spent.input_tokens:,} in ({cached}), {spent.output_tokens:,} out{thinking}"
    return f"{given}; {counted(spent.requests, 'request')}"


def _cost(summary: Summary) -> str:
    spent, session = summary.spent, summary.session
    if spent.cost_nanousd is None:
        return "unknown"
    offline = ", simulated (free)" if summary.offline else ""
    if session.cost_nanousd in (0, spent.cost_nanousd):
        return f"{dollars(spent.cost_nanousd)}{_per_thousand(summary.cost_per_1000_nanousd)}{offline}"
    here = f"{dollars(session.cost_nanousd)} in this session{_per_thousand(session.cost_per_1000_nanousd)}"
    return f"{here}, {dollars(spent.cost_nanousd)} in all sessions{offline}"


def _per_thousand(nanousd: int | None) -> str:
    return "" if nanousd is None else f" ({dollars(nanousd)} per 1,000 rows)"


def _count_in(summary: Summary, view: str) -> int:
    rows = summary.rows
    return {"review": rows.review, "failed": rows.failed + rows.rejected, "ledger": 1}.get(view, 0)


def _counted(counts: Mapping[str, int]) -> str:
    """`rate_limit 12, timeout 3`, the most frequent first."""
    ranked = sorted(counts.items(), key=lambda item: -item[1])
    return ", ".join(f"{neutral(name)} {count:,}" for name, count in ranked)


def _grid() -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(overflow="fold", max_width=_NAME_WIDTH)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    return table


def _margin(part: RenderableType) -> RenderableType:
    return Padding(part, (0, 0, 0, 2), expand=False)


def _indented(table: Table) -> RenderableType:
    return Padding(table, (1, 0, 0, 2), expand=False)
