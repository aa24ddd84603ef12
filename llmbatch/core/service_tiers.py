"""Service tiers: the priority and price at which an endpoint processes a request."""

from enum import StrEnum

from llmbatch.core import defaults


class ServiceTier(StrEnum):
    """The tiers that a request may ask for, by the vendors' names."""

    AUTO = "auto"
    """As configured for the account's project (OpenAI), or as capacity allows (Groq)."""
    DEFAULT = "default"
    FLEX = "flex"
    """Half the price (OpenAI) or ten times the rate limits (Groq), best effort: requests may take longer or be
    refused."""
    PRIORITY = "priority"
    FAST = "fast"
    """OpenAI's other name for priority; answers do not use it."""
    SCALE = "scale"
    ON_DEMAND = "on_demand"
    """Groq's default."""
    PERFORMANCE = "performance"
    """Groq's."""


BATCH = "batch"
"""The price of batches: requests cannot ask for this tier."""
_ALIKE = {"fast": "priority", "on_demand": "default", "standard": "default"}
"""Other names in use by vendors and in answers: `standard` is Anthropic's."""
_STANDARD = frozenset({"default", "auto"})


def priced_tier(tier: str | None) -> str | None:
    """The tier whose price applies, by its name in the price data; None for the standard price."""
    tier = _ALIKE.get(tier, tier) if tier is not None else None
    return None if tier in _STANDARD else tier


def is_served_as_asked(asked: str, served: str) -> bool:
    """Whether an answer's tier is the requested one; `auto` leaves it to the endpoint."""
    return asked == ServiceTier.AUTO or priced_tier(asked) == priced_tier(served)


def request_timeout_s(tier: str | None) -> float:
    """Default time limit for one whole request, in seconds.

    Source: OpenAI, "Flex processing": 15 minutes, where the SDK's own default is 10.
    """
    return defaults.FLEX_TIMEOUT_S if tier == ServiceTier.FLEX else defaults.TIMEOUT_S
