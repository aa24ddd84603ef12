"""What should be known about a model and its price before anything is sent."""

from collections.abc import Iterator

from llmbatch.events import Event, ModelRetires, PriceNone, PriceUnknown, TruncationUnbounded
from llmbatch.pipeline.plan import Plan
from llmbatch.prices import Price, PriceSource
from llmbatch.provider.retirement import shutdown_date


def forewarnings(plan: Plan, price: Price | None, endpoint: str) -> Iterator[Event]:
    """The events to tell at a run's start.

    Args:
        plan: what is asked, of which model.
        price: the model's; None where it is not known.
        endpoint: the base URL.
    """
    model = plan.question.model
    if price is None:
        yield PriceUnknown(model)
    elif price.source is PriceSource.SELF_HOSTED:
        yield PriceNone(endpoint)
    if (retires_on := shutdown_date(model)) is not None:
        yield ModelRetires(model, retires_on.isoformat())
    if plan.limit.cut is not None and plan.limit.tokens is None:
        yield TruncationUnbounded(model)
