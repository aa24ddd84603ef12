"""The rate limits that an endpoint states in its answers' headers."""

from collections.abc import Mapping
from dataclasses import dataclass

from llmbatch.provider.waits import parse_duration_s

_MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class RateLimits:
    """What the endpoint grants, per second; None where it states nothing usable."""

    requests_per_s: float | None = None
    tokens_per_s: float | None = None


def stated_limits(headers: Mapping[str, str]) -> RateLimits:
    """The limits by `x-ratelimit-*`, as OpenAI and its like send them.

    Args:
        headers: an answer's, looked up in lower case.

    A limit is by the minute, unless what has been used comes back more slowly than that: an account that is limited
    by the day says so only in the time until it is whole again.
    """
    return RateLimits(_per_second(headers, "requests"), _per_second(headers, "tokens"))


def _per_second(headers: Mapping[str, str], kind: str) -> float | None:
    limit = _count(headers.get(f"x-ratelimit-limit-{kind}"))
    if not limit:
        return None
    by_the_minute = limit / _MINUTE_S
    remaining = _count(headers.get(f"x-ratelimit-remaining-{kind}"))
    reset_s = parse_duration_s(headers.get(f"x-ratelimit-reset-{kind}"))
    if remaining is None or not reset_s or remaining >= limit:
        return by_the_minute
    return min(by_the_minute, (limit - remaining) / reset_s)


def _count(value: str | None) -> int | None:
    return int(value) if value is not None and value.isascii() and value.isdigit() else None
