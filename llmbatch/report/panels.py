"""Turns figures into panels: each chart's content, captions and markers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from markupsafe import Markup

from llmbatch.core.plurals import counted
from llmbatch.core.sanitize import neutral
from llmbatch.core.shares import percent
from llmbatch.core.usage import UsageTotals
from llmbatch.observe.summary import Summary
from llmbatch.report.buckets import Buckets
from llmbatch.report.charts import Column, bar, columns
from llmbatch.report.story import CONFIDENCE_BINS, Moment, Story
from llmbatch.terminal.figures import cached_share, dollars, duration

_MOST_BARS = 10
_MOST_FOLDED = 200
_MOST_DRIFTS = 6
_LEAST_SEGMENTS = 4
"""Minimum number of input segments for a chart over the input."""
_LEAST_MOMENTS = 2
"""Minimum number of time spans for a chart over time."""
_PAUSE = 5
"""Number of consecutive empty time spans that are drawn as a single gap."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One line of a bar list."""

    name: str
    count: str
    share: str
    drawing: Markup


@dataclass(frozen=True, slots=True)
class BarList:
    """The longest bars, and the others in a collapsed list."""

    shown: list[Bar]
    folded: list[Bar]
    remark: str
    """A note on the bars left out; empty if there are none."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A column chart with its captions."""

    title: str
    note: str
    top: str
    drawing: Markup
    ticks: tuple[str, ...]
    legend: tuple[tuple[str, str], ...] = ()
    """(style, name) of its parts, if there are several."""


@dataclass(frozen=True, slots=True)
class ArmRow:
    """One arm of a comparison."""

    name: str
    rows: str
    review: str
    failed: str
    confidence: str
    cost: str


def bars(
    counts: Mapping[str, int], style: str, *, total: int | None = None, most: int = _MOST_BARS, limit: int = 60
) -> BarList | None:
    """Counts as horizontal bars, the largest first; None if there are none.

    Args:
        counts: by name.
        style: CSS class of the bars.
        total: the total for the shares; by default, the sum of the counts.
        most: how many bars are shown uncollapsed.
        limit: maximum characters of a name.
    """
    ranked = sorted(((name, count) for name, count in counts.items() if count), key=lambda item: -item[1])
    if not ranked:
        return None
    of = sum(counts.values()) if total is None else total
    longest = ranked[0][1]
    drawn = [
        Bar(neutral(name, limit=limit), f"{count:,}", percent(count, of), bar(count / longest, style))
        for name, count in ranked[: most + _MOST_FOLDED]
    ]
    left_out = ranked[most + _MOST_FOLDED :]
    remark = f"{len(left_out):,} more, {sum(count for _, count in left_out):,} in all" if left_out else ""
    return BarList(drawn[:most], drawn[most:], remark)


def confidence(story: Story) -> Chart | None:
    """The distribution of confidence."""
    total = sum(story.confidences)
    if not total:
        return None
    width = 1 / CONFIDENCE_BINS
    drawn = []
    for number, (count, doubtful) in enumerate(zip(story.confidences, story.doubtful, strict=True)):
        low = number * width
        title = f"{low:.2f} to {low + width:.2f}: {counted(count, 'row')} ({percent(count, total)})"
        drawn.append(Column(title, (doubtful, count - doubtful)))
    return Chart(
        title="Confidence",
        note=f"Rows below {story.review_below:g} go to review.",
        top=counted(max(story.confidences), "row"),
        drawing=columns(drawn, ("review", "ok"), label="rows by confidence", marker=story.review_below),
        ticks=("0", "0.25", "0.5", "0.75", "1"),
        legend=(("review", "review"), ("ok", "labelled")),
    )


def latency(story: Story) -> Chart | None:
    """The distribution of time per row."""
    spans = list(story.latencies)
    if not spans:
        return None
    total = len(story.latencies)
    drawn = [
        Column(f"{duration(low)} to {duration(high)}: {counted(count, 'row')} ({percent(count, total)})", (count,))
        for low, high, count in spans
    ]
    typical = ", ".join(f"{q:.0%} under {_short(story.latencies.quantile(q))}" for q in (0.5, 0.95, 0.99))
    ends = (_short(spans[0][0]), _short(spans[-1][1]))
    middle = (_short(spans[len(spans) // 2][0]),) if len(spans) > 2 else ()  # noqa: PLR2004 - two spans have no middle one
    return Chart(
        title="Time a row takes",
        note=f"{typical}; from first send to outcome, including waits. Logarithmic scale.",
        top=counted(max(count for *_, count in spans), "row"),
        drawing=columns(drawn, ("ok",), label="rows by time taken"),
        ticks=(ends[0], *middle, ends[1]),
    )


def course(story: Story) -> list[Chart]:
    """Rows, cost and tokens over time."""
    moments = story.moments
    if len(moments) < _LEAST_MOMENTS:
        return []
    seconds = moments.width
    spans = list(_with_gaps(moments))
    ticks = _times(spans)
    per = "second" if seconds == 1 else duration(seconds)

    def chart(title: str, note: str, top: str, styles: Mapping[str, str], parts: list[tuple[float, ...]]) -> Chart:
        drawn = [
            Column("pause" if moment is None else _moment_title(start, moment), part if moment else ())
            for (start, moment), part in zip(spans, parts, strict=True)
        ]
        legend = tuple(styles.items()) if len(styles) > 1 else ()
        return Chart(title, note, top, columns(drawn, tuple(styles), label=title), ticks, legend)

    present = [moment or Moment() for _, moment in spans]
    return [
        chart(
            "Rows",
            f"Finished per {per}.",
            counted(max(m.rows for m in present), "row"),
            {"failed": "failed", "ok": "labelled or in review"},
            [(m.failed, m.rows - m.failed) for m in present],
        ),
        chart(
            "Cost",
            f"Per {per}; {dollars(sum(m.cost_nanousd for m in present))} in all.",
            dollars(max(m.cost_nanousd for m in present)),
            {"ok": "cost"},
            [(m.cost_nanousd,) for m in present],
        ),
        chart(
            "Tokens",
            f"Per {per}.",
            f"{max(m.input_tokens + m.output_tokens for m in present):,} tokens",
            {"ok": "input", "cached": "cached input", "review": "output"},
            [(m.input_tokens - m.cached_input_tokens, m.cached_input_tokens, m.output_tokens) for m in present],
        ),
        chart(
            "Retries",
            f"Per {per}.",
            f"{max(m.retries for m in present):,}",
            {"review": "retries"},
            [(m.retries,) for m in present],
        ),
    ]


def drift(story: Story) -> list[Chart]:
    """How the shares of the most common labels change from the input's first row to its last."""
    segments = list(story.segments)
    if len(segments) < _LEAST_SEGMENTS:
        return []
    width = story.segments.width
    totals = sum((segment.labels for _, segment in segments), start=type(segments[0][1].labels)())
    rows = sum(segment.rows for _, segment in segments)
    charts = []
    for name, count in totals.most_common(_MOST_DRIFTS):
        shares = [segment.labels[name] / segment.rows for _, segment in segments]
        drawn = [
            Column(f"rows {start:,} to {start + width - 1:,}: {share:.0%}", (share,))
            for (start, _), share in zip(segments, shares, strict=True)
        ]
        drawing = columns(drawn, ("ok",), label=f"share of {name} over the input")
        overall = percent(count, rows)
        charts.append(Chart(neutral(name, limit=60), f"{overall} in all", f"{max(shares):.0%}", drawing, ()))
    return charts


def arms(story: Story) -> list[ArmRow]:
    """The arms of a comparison; none if all rows were sent the same way."""
    if len(story.arms) < 2:  # noqa: PLR2004 - one arm is no comparison
        return []
    return [
        ArmRow(
            neutral(name, limit=60),
            f"{arm.labelled + arm.failed:,}",
            percent(arm.review, arm.labelled),
            percent(arm.failed, arm.labelled + arm.failed),
            "" if arm.confidence is None else f"{arm.confidence:.3f}",
            dollars(arm.cost_nanousd),
        )
        for name, arm in sorted(story.arms.items())
    ]


def tiles(summary: Summary) -> list[tuple[str, str, str]]:
    """(name, figure, remark) of the most important figures."""
    rows, spent = summary.rows, summary.spent
    each = summary.cost_per_1000_nanousd
    per_thousand = f"{dollars(each)} per 1,000 rows" if each else ""
    may_be = f"at most {dollars(spent.possibly_billed_nanousd)} more" if spent.possibly_billed_requests else ""
    shown = [
        ("labelled", f"{rows.ok:,}", percent(rows.ok, rows.total)),
        ("in review", f"{rows.review:,}", percent(rows.review, rows.total)),
        ("failed", f"{rows.failed + rows.rejected:,}", percent(rows.failed + rows.rejected, rows.total)),
        ("cost", dollars(spent.cost_nanousd), may_be or per_thousand),
        (
            "tokens",
            f"{spent.input_tokens + spent.output_tokens:,}" if spent.is_usage_reported else "not reported",
            _cached(spent),
        ),
        ("requests", f"{spent.requests:,}", f"{sum(summary.retries.values()):,} retries"),
    ]
    if rows.undone:
        shown.insert(3, ("undone", f"{rows.undone:,}", percent(rows.undone, rows.total)))
    return shown


def _cached(spent: UsageTotals) -> str:
    if not spent.is_usage_reported:
        return ""
    share = cached_share(spent.cached_input_tokens, spent.input_tokens, spent.cache_unreported_tokens)
    return f"cached tokens {share}" if spent.cached_share is None else f"{share} of the input cached"


def _with_gaps(moments: Buckets[Moment]) -> Iterator[tuple[int, Moment | None]]:
    """(start, moment), with None for empty spans; a long pause counts as one."""
    last: int | None = None
    for start, moment in moments:
        if last is not None:
            missing = (start - last) // moments.width - 1
            for number in range(missing if missing <= _PAUSE else 1):
                yield last + (number + 1) * moments.width, None
        yield start, moment
        last = start


def _times(spans: list[tuple[int, Moment | None]]) -> tuple[str, ...]:
    first, last = spans[0][0], spans[-1][0]
    form = "%H:%M:%S" if _at(first).date() == _at(last).date() else "%Y-%m-%d %H:%M"
    ticks = (f"{_at(first):{form}}", f"{_at(last):{form}} UTC")
    return ticks if first != last else ticks[1:]


def _moment_title(start: int, moment: Moment) -> str:
    return (
        f"{_at(start):%Y-%m-%d %H:%M:%S} UTC: {counted(moment.rows, 'row')}, {moment.failed:,} failed, "
        f"{dollars(moment.cost_nanousd)}, {moment.input_tokens:,} + {moment.output_tokens:,} tokens, "
        f"{counted(moment.retries, 'retry').replace('retrys', 'retries')}"
    )


def _short(seconds: float) -> str:
    return f"{seconds * 1000:.0f}ms" if seconds < 1 else duration(seconds)


def _at(timestamp: float) -> datetime:
    return datetime.fromtimestamp(timestamp, UTC)
