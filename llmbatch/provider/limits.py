"""The rate limits that an endpoint states in its answers' headers."""

import re
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

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


@dataclass(frozen=True, slots=True)
class LimitBucket:
    """One limit as an endpoint states it, in whatever form. None is what it does not state."""

    kind: str
    """What is counted: `requests` or `tokens`."""
    limit: int | None
    remaining: int | None
    reset_s: float | None
    """Seconds until it is whole again, at the latest: a bucket fills meanwhile, a window does not."""
    window_s: float | None
    """Seconds that the limit is for, where the header's name says so (60, 86,400)."""


_FIELDS = ("limit", "remaining", "reset")
_WINDOWS_S = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0}
_NAME = re.compile(r"(?:^|-)(?:rate-?limit|tokenlimit|ratelimitbysize)(?:-|$)")
_OTHER_UNITS = re.compile(r"images|audio|input|output|concurren")
_UNIX_S, _UNIX_MS = 1e9, 1e11
"""From where on a reset is no number of seconds but a time: 2001 in seconds, 1973 in milliseconds."""


def stated_buckets(headers: Mapping[str, str], *, now: float | None = None) -> tuple[LimitBucket, ...]:
    """Every limit on requests and tokens that an answer's headers state, one for each window.

    Known forms, told apart by the words in a header's name, in any order: OpenAI, Azure, Groq and Fireworks
    (`x-ratelimit-limit-requests`, durations), Anthropic (`anthropic-ratelimit-requests-limit`, ISO dates), Cerebras and
    Mistral (`x-ratelimit-limit-requests-day`, `x-ratelimit-limit-req-minute`), OpenRouter (`x-ratelimit-reset` in
    milliseconds of Unix time), Together (`x-tokenlimit-limit`), and the IETF's draft (`ratelimit-limit`).

    Args:
        headers: an answer's, with names in lower case.
        now: Unix time that times count from; the clock's by default.
    """
    found: defaultdict[tuple[str, float | None], dict[str, str]] = defaultdict(dict)
    for name, value in headers.items():
        match = _NAME.search(name)
        field = next((field for field in _FIELDS if name.endswith(f"-{field}") or f"-{field}-" in name), None)
        if match is None or field is None or _OTHER_UNITS.search(name):
            continue
        kind = "tokens" if "token" in name else "requests"
        window_s = next((seconds for word, seconds in _WINDOWS_S.items() if word in name), None)
        found[kind, window_s][field] = value
    at = time.time() if now is None else now
    return tuple(
        LimitBucket(
            kind,
            _count(fields.get("limit")),
            _count(fields.get("remaining")),
            _until_s(fields.get("reset"), at),
            window_s,
        )
        for (kind, window_s), fields in found.items()
    )


def _until_s(value: str | None, now: float) -> float | None:
    """Seconds until a reset: a duration, seconds, a Unix time in seconds or milliseconds, or an ISO date."""
    seconds = parse_duration_s(value)
    if value is not None and seconds is None:
        try:
            seconds = datetime.fromisoformat(value.strip()).timestamp()
        except (ValueError, OverflowError):
            return None
    if seconds is None or seconds < _UNIX_S:
        return seconds
    return max((seconds / 1000 if seconds >= _UNIX_MS else seconds) - now, 0.0)
