"""The cost of the same rows by each way of sending: single requests, the flex tier, batches, packs."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from llmbatch.core.prices import Price, PriceBook, PriceSource
from llmbatch.core.service_tiers import BATCH, ServiceTier
from llmbatch.estimate.cost import Cost, Job, Known, Range, cost_of
from llmbatch.estimate.time import TimeNeeded

SYNC, FLEX, PACKED = "sync", ServiceTier.FLEX.value, "packed"
BATCH_WINDOW_S = 86_400.0
"""Time limit of a batch (OpenAI, "Batch API")."""
_NO_HITS = Range(0.0, 1.0, 1.0)
"""Cache misses of batches: no provider guarantees cache hits, though some achieve them."""


@dataclass(frozen=True, slots=True)
class WayEstimate:
    """The estimate for one way."""

    way: str
    cost: Cost
    time: TimeNeeded
    assumed: str
    """What the cost depends on, in a few words."""


def way_estimates(
    model: str, job: Job, known: Known, prices: PriceBook, time: TimeNeeded, *, packed: Job | None
) -> tuple[WayEstimate, ...]:
    """The ways with their own published price; none if the standard price is not a published one.

    Args:
        model: the model.
        job: the job as single requests.
        packed: the same job with rows that share requests; None if that is not an alternative.
        known: what earlier answers show about single requests.
        prices: where prices are found.
        time: the time needed for single requests.
    """
    ways = tuple(_estimates(model, job, known, prices, time))
    standard = prices.price(model)
    if not ways or standard is None or packed is None or packed.pack is None:
        return ways
    fewer = replace(time, seconds=None if time.seconds is None else time.seconds / packed.pack.rows)
    assumed = f"{packed.pack.rows} rows per request, if a comparison shows no loss"
    return (*ways, WayEstimate(PACKED, cost_of(packed, standard, known), fewer, assumed))


def _estimates(model: str, job: Job, known: Known, prices: PriceBook, time: TimeNeeded) -> Iterator[WayEstimate]:
    standard = prices.price(model)
    if standard is None or standard.source is not PriceSource.PUBLISHED:
        return
    yield WayEstimate(SYNC, cost_of(job, standard, known), time, "")
    if (flex := _own(prices, model, FLEX, standard)) is not None:
        slower = TimeNeeded(None, "best effort: requests may take 15 minutes or be refused for lack of capacity")
        yield WayEstimate(FLEX, cost_of(job, flex, known), slower, "slower, best effort")
    if (batch := _own(prices, model, BATCH, standard)) is not None:
        unwritten = replace(job, written_tokens=0, pack=None)
        within = TimeNeeded(BATCH_WINDOW_S if job.requests else 0.0, "within 24 h, as promised by the provider")
        cost = cost_of(unwritten, batch, replace(known, misses=_NO_HITS))
        yield WayEstimate(BATCH, cost, within, "within 24 h; assumes no cache hits, low end all hits")


def _own(prices: PriceBook, model: str, tier: str, standard: Price) -> Price | None:
    """A way's own price; None if none is published."""
    price = prices.price(model, service_tier=tier)
    return None if price is None or price == standard else price


def cheapest(ways: tuple[WayEstimate, ...], allowed: frozenset[str], within_s: float | None) -> WayEstimate | None:
    """The way with the lowest expected cost, the first if tied; None if there is none to choose from.

    Args:
        ways: the ways to choose from.
        allowed: names of the ways that support what the run needs.
        within_s: time limit in seconds, which excludes ways that promise no time; None for no limit.
    """
    fitting = [way for way in ways if way.way in allowed and (way.way == SYNC or _is_in_time(way, within_s))]
    return min(fitting, key=lambda way: way.cost.expected, default=None)


def _is_in_time(way: WayEstimate, within_s: float | None) -> bool:
    return within_s is None or (way.time.seconds is not None and way.time.seconds <= within_s)
