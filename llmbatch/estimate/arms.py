"""The cost of a run with several models and prompts: each arm, and all of them together.

How many rows an arm gets is not known in advance: low-confidence rows go to a stronger model, and a canary may be
dropped. So an arm has bounds on its rows in addition to those on the cost of a row.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import sqrt

from llmbatch.core.prices import Price
from llmbatch.estimate.cost import Cost, Job, Known, Range, cost_of
from llmbatch.estimate.sample import TokenTotal

_DEVIATIONS = 3
"""Bounds of a share of the rows, in standard deviations: it is within them 997 times in 1,000."""


@dataclass(frozen=True, slots=True)
class ArmJob:
    """An arm's part of a job: so many of the rows in `job`."""

    arm: str
    model: str
    job: Job
    rows: Range
    price: Price | None
    """None if unknown."""
    known: Known = field(default_factory=Known)


@dataclass(frozen=True, slots=True)
class ArmEstimate:
    """What an arm will cost; None if its price is unknown."""

    arm: str
    model: str
    rows: Range
    cost: Cost | None


def arm_estimate(asked: ArmJob) -> ArmEstimate:
    """Estimate an arm's cost, with the fewest rows at the low end and the most at the high end."""
    if asked.price is None:
        return ArmEstimate(asked.arm, asked.model, asked.rows, None)
    low, expected, high = (
        cost_of(_part(asked.job, rows), asked.price, asked.known)
        for rows in (asked.rows.low, asked.rows.expected, asked.rows.high)
    )
    more = high.expected - expected.expected
    movers = ((f"{asked.rows.high:,.0f} rows sent to the {asked.arm}'s {asked.model}", more),) if more > 0 else ()
    cost = Cost(expected.expected, low.low, high.high, expected.without_cache, (*expected.movers, *movers))
    return ArmEstimate(asked.arm, asked.model, asked.rows, cost)


def together(arms: Sequence[ArmEstimate]) -> Cost | None:
    """The cost of all arms; None if any price is unknown."""
    costs = [arm.cost for arm in arms if arm.cost is not None]
    if len(costs) < len(arms):
        return None
    return Cost(
        expected=sum(cost.expected for cost in costs),
        low=sum(cost.low for cost in costs),
        high=sum(cost.high for cost in costs),
        without_cache=sum(cost.without_cache for cost in costs),
        movers=_merged(mover for cost in costs for mover in cost.movers),
    )


def share_of(rows: int, share: float, *, most: float | None = None) -> Range:
    """How many rows an arm gets that takes a random share (0..1) of them.

    Args:
        rows: all rows.
        share: the arm's initial share.
        most: the largest share it may grow to; None if fixed.
    """
    largest = max(share, most or share)
    return Range(0, rows * share, min(rows * largest + _DEVIATIONS * sqrt(rows * largest * (1 - largest)), rows))


def joined(one: Job, other: Job) -> Job:
    """Both jobs combined, with the first one's prompt."""
    a, b = one.documents, other.documents
    documents = TokenTotal(a.tokens + b.tokens, a.margin + b.margin, a.rows + b.rows, a.counted_rows + b.counted_rows)
    return replace(one, requests=one.requests + other.requests, documents=documents)


def _part(job: Job, rows: float) -> Job:
    """A part of a job: so many rows of average length."""
    if rows == job.requests or not job.requests:
        return job
    requests, share, documents = round(rows), round(rows) / job.requests, job.documents
    part = replace(documents, tokens=documents.tokens * share, margin=documents.margin * share, rows=requests)
    return replace(job, requests=requests, documents=part)


def _merged(movers: Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    merged: dict[str, int] = {}
    for name, nanousd in movers:
        merged[name] = merged.get(name, 0) + nanousd
    return tuple(sorted(merged.items(), key=lambda mover: -mover[1]))
