"""Service tiers: at what priority, and at what price, an endpoint works on a request."""

from enum import StrEnum

from llmbatch.core import defaults


class ServiceTier(StrEnum):
    """What a request may ask for, by the makers' own names."""

    AUTO = "auto"
    """As the account's project is set up (OpenAI), or as there is room (Groq)."""
    DEFAULT = "default"
    FLEX = "flex"
    """Half the price (OpenAI) or ten times the rates (Groq), without a promise: answers take longer or are refused."""
    PRIORITY = "priority"
    FAST = "fast"
    """OpenAI's other name of priority, by which no answer goes."""
    SCALE = "scale"
    ON_DEMAND = "on_demand"
    """Groq's default."""
    PERFORMANCE = "performance"
    """Groq's."""


BATCH = "batch"
"""The price of what may take a day: no tier that a request can ask for, but what batches are billed by."""
_ALIKE = {"fast": "priority", "on_demand": "default", "standard": "default"}
"""Other makers' and answers' names: `standard` is Anthropic's."""
_STANDARD = frozenset({"default", "auto"})


def priced_tier(tier: str | None) -> str | None:
    """The tier whose price counts, by the name that prices have for it; None for the standard price."""
    tier = _ALIKE.get(tier, tier) if tier is not None else None
    return None if tier in _STANDARD else tier


def is_served_as_asked(asked: str, served: str) -> bool:
    """Whether an answer's tier is the one that was asked for; `auto` leaves it to the endpoint."""
    return asked == ServiceTier.AUTO or priced_tier(asked) == priced_tier(served)


def request_timeout_s(tier: str | None) -> float:
    """Seconds that one whole request may take where the user says nothing.

    Source: OpenAI, "Flex processing": 15 minutes, where the SDK's own default is 10.
    """
    return defaults.FLEX_TIMEOUT_S if tier == ServiceTier.FLEX else defaults.TIMEOUT_S
