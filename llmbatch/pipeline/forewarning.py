"""What should be known about a model and its price before anything is sent."""

from collections.abc import Iterator

from llmbatch.events import Event, ModelRetires, PriceNone, PriceUnknown
from llmbatch.prices import Price, PriceSource
from llmbatch.provider.retirement import shutdown_date


def forewarnings(model: str, price: Price | None, endpoint: str) -> Iterator[Event]:
    """The events to tell at a run's start.

    Args:
        model: as asked for.
        price: the model's; None where it is not known.
        endpoint: the base URL.
    """
    if price is None:
        yield PriceUnknown(model)
    elif price.source is PriceSource.SELF_HOSTED:
        yield PriceNone(endpoint)
    if (retires_on := shutdown_date(model)) is not None:
        yield ModelRetires(model, retires_on.isoformat())
