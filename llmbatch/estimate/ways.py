"""What the same rows cost on each way to the provider: by themselves, at the flex tier, in batches, in packs."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from llmbatch.core.prices import Price, PriceBook, PriceSource
from llmbatch.core.service_tiers import BATCH, ServiceTier
from llmbatch.estimate.cost import Cost, Job, Known, Range, cost_of
from llmbatch.estimate.time import TimeNeeded

SYNC, FLEX, PACKED = "sync", ServiceTier.FLEX.value, "packed"
BATCH_WINDOW_S = 86_400.0
"""In which a batch is to be answered (OpenAI, "Batch API")."""
_NO_HITS = Range(0.0, 1.0, 1.0)
"""Misses of batches: no provider promises that they meet the cache, and some do."""


@dataclass(frozen=True, slots=True)
class WayEstimate:
    """What a way would come to."""

    way: str
    cost: Cost
    time: TimeNeeded
    assumed: str
    """What the cost rests on, in a few words."""


def way_estimates(
    model: str, job: Job, known: Known, prices: PriceBook, time: TimeNeeded, *, packed: Job | None
) -> tuple[WayEstimate, ...]:
    """The ways that have a published price of their own; none where the standard price is not a published one.

    Args:
        model: that is asked.
        job: what is asked.
        packed: the same with rows that share requests; None where that is no other way.
        known: what earlier answers show of single requests.
        prices: where prices are found.
        time: what single requests take.
    """
    ways = tuple(_estimates(model, job, known, prices, time))
    standard = prices.price(model)
    if not ways or standard is None or packed is None or packed.pack is None:
        return ways
    fewer = replace(time, seconds=None if time.seconds is None else time.seconds / packed.pack.rows)
    assumed = f"{packed.pack.rows} rows a request, where a comparison shows no loss"
    return (*ways, WayEstimate(PACKED, cost_of(packed, standard, known), fewer, assumed))


def _estimates(model: str, job: Job, known: Known, prices: PriceBook, time: TimeNeeded) -> Iterator[WayEstimate]:
    standard = prices.price(model)
    if standard is None or standard.source is not PriceSource.PUBLISHED:
        return
    yield WayEstimate(SYNC, cost_of(job, standard, known), time, "")
    if (flex := _own(prices, model, FLEX, standard)) is not None:
        slower = TimeNeeded(None, "no promise: requests may take 15 minutes, or be refused for want of room")
        yield WayEstimate(FLEX, cost_of(job, flex, known), slower, "slower, no promise")
    if (batch := _own(prices, model, BATCH, standard)) is not None:
        unwritten = replace(job, written_tokens=0, pack=None)
        within = TimeNeeded(BATCH_WINDOW_S if job.requests else 0.0, "within 24 h, as the provider promises")
        cost = cost_of(unwritten, batch, replace(known, misses=_NO_HITS))
        yield WayEstimate(BATCH, cost, within, "within 24 h; nothing cached, at the low end all")


def _own(prices: PriceBook, model: str, tier: str, standard: Price) -> Price | None:
    """A way's own price; None where none is published."""
    price = prices.price(model, service_tier=tier)
    return None if price is None or price == standard else price


def cheapest(ways: tuple[WayEstimate, ...], allowed: frozenset[str], within_s: float | None) -> WayEstimate | None:
    """The way that is expected to cost least; of equals the first. None where there is none to choose from.

    Args:
        ways: to choose from.
        allowed: those that can do what is asked.
        within_s: seconds in which all is to be done; a way that promises none does not do then. None for any time.
    """
    fitting = [way for way in ways if way.way in allowed and (way.way == SYNC or _is_in_time(way, within_s))]
    return min(fitting, key=lambda way: way.cost.expected, default=None)


def _is_in_time(way: WayEstimate, within_s: float | None) -> bool:
    return within_s is None or (way.time.seconds is not None and way.time.seconds <= within_s)
