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
        plan: the plan.
        prices: where the model's price is found.
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


def unpriced(
    models: Iterable[str], limits: Sequence[str], prices: PriceBook, *, embedding_models: Iterable[str | None] = ()
) -> UsageError | None:
    """The error if spending limits cannot be enforced because a model's price is unknown; None if they can.

    That a private server is free is only an assumption, since it may be a proxy.

    Args:
        models: all models that will be used.
        limits: the user's spending limit options.
        prices: known prices.
        embedding_models: those that retrieve labels.
    """
    if not limits:
        return None
    found = [(model, prices.price(model)) for model in models]
    found += [(model, prices.of_embeddings.price(model)) for model in embedding_models if model is not None]
    unknown = next((model for model, price in found if not _is_stated(price)), None)
    if unknown is None:
        return None
    return UsageError(
        f"{limits[0]} cannot be enforced: the price of {unknown} is unknown",
        hint="set it with --price INPUT,CACHED,OUTPUT, in USD per million tokens (0,0,0 if it is free)",
    )


def _is_stated(price: Price | None) -> bool:
    return price is not None and price.source is not PriceSource.SELF_HOSTED
