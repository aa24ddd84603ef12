"""What should be known about a model and its price before anything is sent."""

from collections.abc import Iterable, Iterator, Sequence

from llmbatch.core.errors import UsageError
from llmbatch.core.prices import Price, PriceBook, PriceSource
from llmbatch.engine.plan import Plan
from llmbatch.observe.events import (
    Event,
    ModelRetires,
    PriceNone,
    PriceUnknown,
    ServiceTierUnpriced,
    TruncationUnbounded,
)
from llmbatch.provider.retirement import shutdown_date


def preflight_warnings(plan: Plan, prices: PriceBook, endpoint: str) -> Iterator[Event]:
    """The events to report at a run's start.

    Args:
        plan: what is asked, of which model.
        prices: where the model's is found.
        endpoint: the base URL.
    """
    model, tier = plan.question.model, plan.shape.service_tier
    price = prices.price(model)
    if price is None:
        yield PriceUnknown(model)
    elif price.source is PriceSource.SELF_HOSTED:
        yield PriceNone(endpoint)
    elif tier is not None and not prices.has_tier(model, tier):
        yield ServiceTierUnpriced(model, tier)
    if (retires_on := shutdown_date(model)) is not None:
        yield ModelRetires(model, retires_on.isoformat())
    if plan.limit.cut is not None and plan.limit.tokens is None:
        yield TruncationUnbounded(model)


def unpriced(models: Iterable[str], limits: Sequence[str], prices: PriceBook) -> UsageError | None:
    """Why spending limits cannot be enforced: a model's price is unknown. None where they can.

    That one's own server is free is a guess, since it may be a proxy.

    Args:
        models: all that will be asked.
        limits: the options by which the user limits spending.
        prices: what is known.
    """
    if not limits:
        return None
    unknown = next((model for model in models if not _is_stated(prices.price(model))), None)
    if unknown is None:
        return None
    return UsageError(
        f"{limits[0]} cannot be enforced: the price of {unknown} is not known",
        hint="give it with --price INPUT,CACHED,OUTPUT, in USD per million tokens (0,0,0 where it is free)",
    )


def _is_stated(price: Price | None) -> bool:
    return price is not None and price.source is not PriceSource.SELF_HOSTED
