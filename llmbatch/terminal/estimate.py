"""An estimate for people: one column per model, and below the table what the figures are based on."""

from collections.abc import Callable, Iterator
from math import ceil

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from llmbatch.core.plurals import counted
from llmbatch.core.sanitize import neutral
from llmbatch.core.shares import percent
from llmbatch.estimate.arms import ArmEstimate
from llmbatch.estimate.cost import Cost
from llmbatch.estimate.result import Estimate, ModelEstimate
from llmbatch.terminal.figures import dollars, duration

_LONGEST_NAME = 200

_Cell = Callable[[ModelEstimate], str]


def render_estimate(estimate: Estimate, console: Console) -> None:
    """Print an estimate."""
    with console.capture() as captured:
        title = f"  {neutral(estimate.folder)}  task {neutral(estimate.task)}; nothing was sent"
        console.print(Text.assemble("\n", ("Estimate", "bold green"), (title, "dim")))
        console.print(Padding(_table(estimate.models), (1, 0, 0, 2), expand=False))
        if estimate.labels is not None:
            console.print(Padding(Text(neutral(f"Labels: {estimate.labels}.", limit=600)), (1, 0, 0, 2), expand=False))
        for model in estimate.models:
            heading = neutral(model.model, limit=_LONGEST_NAME) if len(estimate.models) > 1 else ""
            console.print(Padding(_remarks(model, heading), (1, 0, 0, 2), expand=False))
    for line in captured.get().splitlines():
        console.file.write(f"{line.rstrip()}\n")
    console.file.flush()


def _table(models: tuple[ModelEstimate, ...]) -> Table:
    table = Table.grid(padding=(0, 3))
    table.add_column(style="bold")
    for _ in models:
        table.add_column(justify="right" if len(models) > 1 else "left", overflow="fold")
    if len(models) > 1:
        table.add_row("", *(Text(neutral(model.model, limit=_LONGEST_NAME), style="bold") for model in models))
    for name, cell in _LINES.items():
        cells = [cell(model) for model in models]
        if any(cells):
            table.add_row(name, *map(Text, cells))
    return table


def _count(field: str) -> _Cell:
    def cell(estimate: ModelEstimate) -> str:
        count: int = getattr(estimate.rows, field)
        return f"{count:,}" if count else ""

    return cell


def _of_cost(show: Callable[[Cost, ModelEstimate], str]) -> _Cell:
    return lambda estimate: "unknown" if estimate.cost is None else show(estimate.cost, estimate)


def _documents(estimate: ModelEstimate) -> str:
    documents = estimate.job.documents
    margin = "" if documents.is_exact else f" ±{percent(documents.margin, documents.tokens)}"
    return f"{documents.tokens:,.0f} tokens{margin}"


def _per_thousand(cost: Cost, rows: int) -> str:
    return dollars(round(cost.expected * 1000 / rows)) if rows else ""


def _time(estimate: ModelEstimate) -> str:
    seconds = estimate.time.seconds
    if seconds is None:
        return "unknown"
    return f"{duration(seconds)} (assumed)" if estimate.time.is_assumed else duration(seconds)


def _arm(name: str) -> _Cell:
    """Rows and cost of one of several arms; a line for each model that votes."""

    def cell(estimate: ModelEstimate) -> str:
        arms = [arm for arm in estimate.arms if arm.arm == name] if len(estimate.arms) > 1 else []
        return "\n".join(map(_arm_cost, arms))

    return cell


def _arm_cost(arm: ArmEstimate) -> str:
    low, high = round(arm.rows.low), ceil(arm.rows.high)
    rows = counted(high, "row") if low == high else f"{low:,} to {counted(high, 'row')}"
    cost = "unknown" if arm.cost is None else f"{dollars(arm.cost.low)} to {dollars(arm.cost.high)}"
    return f"{neutral(arm.model, limit=_LONGEST_NAME)}, {rows}: {cost}"


def _way(name: str) -> _Cell:
    """Cost and time of one of several ways."""

    def cell(estimate: ModelEstimate) -> str:
        way = next((way for way in estimate.ways if way.way == name), None)
        if way is None or len(estimate.ways) == 1:
            return ""
        cost = f"{dollars(way.cost.expected)} ({dollars(way.cost.low)} to {dollars(way.cost.high)})"
        return f"{cost}, {way.assumed}" if way.assumed else cost

    return cell


_LINES: dict[str, _Cell] = {
    "rows": _count("total"),
    "to send": lambda estimate: f"{estimate.rows.to_ask:,}",
    "like another": _count("like_another"),
    "done already": _count("done"),
    "too long": _count("too_long"),
    "cut": _count("truncated"),
    "unreadable": _count("rejected"),
    "prefix": lambda estimate: f"{estimate.job.prefix_tokens:,} tokens",
    "documents": _documents,
    "an answer": lambda estimate: f"{estimate.job.output_tokens.expected:.3g} tokens",
    "cached": lambda estimate: f"{percent(estimate.job.cached_share, 1)} of the input",
    "cost": _of_cost(lambda cost, _: dollars(cost.expected)),
    "low end": _of_cost(lambda cost, _: dollars(cost.low)),
    "high end": _of_cost(lambda cost, _: dollars(cost.high)),
    "uncached": _of_cost(lambda cost, _: dollars(cost.without_cache)),
    "control": _arm("control"),
    "canary": _arm("canary"),
    "escalation": _arm("escalation"),
    "jury": _arm("jury"),
    "embedding": _arm("embedding"),
    "sync": _way("sync"),
    "flex": _way("flex"),
    "batch": _way("batch"),
    "packed": _way("packed"),
    "1,000 rows": _of_cost(lambda cost, estimate: _per_thousand(cost, estimate.rows.to_ask)),
    "time": _time,
}


def _remarks(estimate: ModelEstimate, heading: str) -> Text:
    lines = [heading] if heading else []
    lines.extend(_remark_lines(estimate))
    return Text("\n".join(lines), style="dim")


def _remark_lines(estimate: ModelEstimate) -> Iterator[str]:
    job, cost = estimate.job, estimate.cost
    if cost is None:
        unpriced = neutral(estimate.unpriced or estimate.model)
        yield f"The price of {unpriced} is unknown: set it with --price INPUT,CACHED,OUTPUT."
    elif cost.movers:
        yield "What moves the cost: " + "; ".join(f"{name}, +{dollars(nanousd)}" for name, nanousd in cost.movers) + "."
    if estimate.service_tier is not None:
        priced = "" if estimate.is_tier_priced else f", for which no {estimate.service_tier} price is published"
        tier = estimate.service_tier if estimate.is_tier_priced else "standard"
        yield f"Service tier: {estimate.service_tier}; the cost is by the {tier} price{priced}."
    if not job.documents.is_exact:
        counted_rows = counted(job.documents.counted_rows, "document")
        yield f"Tokens are from {counted_rows} drawn at random; the total is within the margin 95 times in 100."
    yield f"Time: {estimate.time.why}."
    low, high = estimate.job.output_tokens.low, estimate.job.output_tokens.high
    known = (
        f"as in {counted(estimate.known_rows, 'row')} of this run" if estimate.known_rows else "by the task's labels"
    )
    yield f"Answers: {low:.3g} to {high:.3g} tokens, {known}."
