"""The rate limits that an endpoint states in its answers' headers.

What the headers mean differs: a limit may be for a second, a minute or a day; its reset may be seconds until one more
request passes, until all of it is there again, or a point in time. So what is read here is only what was said; what
it means for the next request is judged by what comes of it (`pacing/allowance.py`).
"""

import re
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from llmbatch.provider.waits import parse_duration_s

Kind = Literal["requests", "tokens"]


@dataclass(frozen=True, slots=True)
class RateLimits:
    """What may be sent per second; None where there is no limit."""

    requests_per_s: float | None = None
    tokens_per_s: float | None = None


@dataclass(frozen=True, slots=True)
class StatedLimit:
    """One limit as one answer states it, in whatever form. None is what it does not state."""

    kind: Kind
    limit: int
    remaining: int | None = None
    reset_s: float | None = None
    """Seconds from the answer on until all of it is there again, at the latest."""
    window_s: float | None = None
    """Seconds that the limit is for, where the headers say so (60, 86,400)."""
    is_window: bool = False
    """The reset is a point in time: the limit counts anew from there, and nothing comes back before."""


_FIELDS = ("limit", "remaining", "reset", "renewalperiod")
_WINDOWS_S = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0}
_NAME = re.compile(r"(?:^|-)(?:rate-?limit|tokenlimit|ratelimitbysize)(?:-|$)")
_OTHER_UNITS = re.compile(r"images|audio|input|output|concurren|policy")
_UNIX_S, _UNIX_MS = 1e9, 1e11
"""From where on a reset is no number of seconds but a time: 2001 in seconds, 1973 in milliseconds."""
_MOST_DIGITS = 15
_DRAFT_ITEM = re.compile(r";\s*([a-z]+)=(\d{1,15})")


def stated_limits(headers: Mapping[str, str], *, now: float | None = None) -> tuple[StatedLimit, ...]:
    """Every limit on requests and tokens that an answer's headers state, one for each window.

    Known forms, told apart by the words in a header's name, in any order: OpenAI, Groq and Fireworks
    (`x-ratelimit-limit-requests`, durations), Azure (`x-ratelimit-renewalperiod-requests` besides), Anthropic
    (`anthropic-ratelimit-requests-limit`, ISO dates), Cerebras and Mistral (`x-ratelimit-limit-requests-day`,
    `x-ratelimit-limit-req-minute`), OpenRouter (`x-ratelimit-reset` in milliseconds of Unix time), Together
    (`x-tokenlimit-limit`), and the IETF's draft, as it was (`ratelimit-limit`) and as it is since its eighth version
    (`ratelimit: "api";r=489;t=189` with `ratelimit-policy: "api";q=500;w=300`).

    Args:
        headers: an answer's, with names in lower case.
        now: Unix time that times count from; the clock's by default.
    """
    found: defaultdict[tuple[Kind, float | None], dict[str, str]] = defaultdict(dict)
    for name, value in headers.items():
        match = _NAME.search(name)
        field = next((field for field in _FIELDS if name.endswith(f"-{field}") or f"-{field}-" in name), None)
        if match is None or field is None or _OTHER_UNITS.search(name):
            continue
        window_s = next((seconds for word, seconds in _WINDOWS_S.items() if word in name), None)
        found["tokens" if "token" in name else "requests", window_s][field] = value
    at = time.time() if now is None else now
    stated = (_stated(kind, window_s, fields, at) for (kind, window_s), fields in found.items())
    return (*(limit for limit in stated if limit is not None), *_drafted(headers))


def _stated(kind: Kind, window_s: float | None, fields: Mapping[str, str], now: float) -> StatedLimit | None:
    limit, remaining = _count(fields.get("limit")), _count(fields.get("remaining"))
    if not limit:
        return None
    reset_s, is_window = _reset(fields.get("reset"), now)
    return StatedLimit(
        kind,
        limit,
        None if remaining is not None and remaining > limit else remaining,
        reset_s,
        window_s or parse_duration_s(fields.get("renewalperiod")) or None,
        is_window,
    )


def _drafted(headers: Mapping[str, str]) -> Iterator[StatedLimit]:
    items = (
        *_DRAFT_ITEM.findall(headers.get("ratelimit-policy", "")),
        *_DRAFT_ITEM.findall(headers.get("ratelimit", "")),
    )
    stated = {name: int(value) for name, value in items}
    if stated.get("q") and "r" in stated:
        window_s = float(stated["w"]) if stated.get("w") else None
        yield StatedLimit("requests", stated["q"], stated["r"], float(stated["t"]) if "t" in stated else None, window_s)


def _reset(value: str | None, now: float) -> tuple[float | None, bool]:
    """Seconds until a reset (None where it has passed, or cannot be read), and whether it is a point in time.

    A duration, seconds, a Unix time in seconds or milliseconds, or an ISO date.
    """
    seconds = parse_duration_s(value)
    if value is not None and seconds is None:
        try:
            seconds = datetime.fromisoformat(value.strip()).timestamp()
        except (ValueError, OverflowError, OSError):
            return None, False
    if seconds is None or seconds < _UNIX_S:
        return seconds, False
    left_s = (seconds / 1000 if seconds >= _UNIX_MS else seconds) - now
    return (left_s if left_s > 0 else None), True


def _count(value: str | None) -> int | None:
    """A whole number; some gateways write it as `100.0`, or name more limits behind a comma."""
    first = "" if value is None else value.split(",", 1)[0].strip().removesuffix(".0")
    return int(first) if first.isascii() and first.isdigit() and len(first) <= _MOST_DIGITS else None
