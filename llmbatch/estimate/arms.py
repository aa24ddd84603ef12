"""A run that asks several models and prompts: what each arm will cost, and all of them together.

Which rows an arm gets is not known beforehand: those that are in doubt go to a stronger model, and a canary may be
dropped. So an arm has bounds of its rows beside those of what a row costs.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import sqrt

from llmbatch.core.prices import Price
from llmbatch.estimate.cost import Cost, Job, Known, Range, cost_of
from llmbatch.estimate.sample import TokenTotal

_DEVIATIONS = 3
"""Standard deviations that a share of the rows may be off: 997 times in 1,000 it is within them."""


@dataclass(frozen=True, slots=True)
class ArmJob:
    """What an arm is asked: so many rows of all that `job` holds."""

    arm: str
    model: str
    job: Job
    rows: Range
    price: Price | None
    """None where it is not known."""
    known: Known = field(default_factory=Known)


@dataclass(frozen=True, slots=True)
class ArmEstimate:
    """What an arm will cost; None where its price is not known."""

    arm: str
    model: str
    rows: Range
    cost: Cost | None


def arm_estimate(asked: ArmJob) -> ArmEstimate:
    """What an arm will cost: at the low end with the fewest rows, at the high end with the most."""
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
    """What all arms will cost; None where the price of one is not known."""
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
    """How many of so many rows an arm gets that takes this share of them at random (0..1).

    Args:
        rows: all.
        share: the arm's, at first.
        most: what its share may grow to; None where it stays.
    """
    largest = max(share, most or share)
    return Range(0, rows * share, min(rows * largest + _DEVIATIONS * sqrt(rows * largest * (1 - largest)), rows))


def joined(one: Job, other: Job) -> Job:
    """Both jobs as one, by the first one's prompt."""
    a, b = one.documents, other.documents
    documents = TokenTotal(a.tokens + b.tokens, a.margin + b.margin, a.rows + b.rows, a.counted_rows + b.counted_rows)
    return replace(one, requests=one.requests + other.requests, documents=documents)


def _part(job: Job, rows: float) -> Job:
    """A part of a job: so many of its rows, as long as they are on average."""
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
