"""Reads the rate limits stated in response headers.

The headers' meanings differ: a limit may apply to a second, a minute or a day; its reset may be the seconds until one
more request is allowed, until the full limit is restored, or a point in time. So only the stated values are read here;
what they mean for the next request is learned from its outcome (`engine/throttle/allowance.py`).
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from llmbatch.provider.dates import seconds_until, server_time_s
from llmbatch.provider.waits import parse_duration_s

Kind = Literal["requests", "tokens"]


@dataclass(frozen=True, slots=True)
class RateLimits:
    """What may be sent per second; None if there is no limit."""

    requests_per_s: float | None = None
    tokens_per_s: float | None = None


@dataclass(frozen=True, slots=True)
class StatedLimit:
    """One limit as stated in one response, in any form. Unstated values are None."""

    name: str
    """Identifies it among the limits in the same response."""
    kind: Kind
    limit: int
    remaining: int | None = None
    reset_s: float | None = None
    """Seconds from the response until the full limit is restored, at the latest."""
    window_s: float | None = None
    """The limit's window in seconds, if stated (60, 86,400)."""
    is_coarse: bool = False
    """Whether the reset is stated in whole seconds, as a number without a unit or as a date."""


_FAMILIES = frozenset({"ratelimit", "tokenlimit", "ratelimitbysize"})
_FIELDS = frozenset({"limit", "remaining", "reset", "renewalperiod"})
_FILLERS = frozenset({"ms", "after", "at", "time"})
"""Words found in only one of a limit's headers: `x-ratelimit-reset-after`."""
_OTHER_UNITS = frozenset({"images", "audio", "input", "output", "concurrent", "concurrency", "policy"})
_WINDOWS_S = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86_400.0, "month": 30 * 86_400.0}
_MOST_DIGITS = 15
_POLICY = re.compile(r"(\d{1,15})\s*;[^,]*?\bw(?:indow)?=(\d{1,9})")
"""A limit and its window in older drafts: `100;w=60`, also after the limit itself."""
_DRAFT_ITEM = re.compile(r'("[^"]*"|[a-z*][\w.*-]*)((?:\s*;\s*[a-z]+=(?:"[^"]*"|[^,;"]*))+)')
_DRAFT_PARAMETER = re.compile(r';\s*([a-z]+)=(?:"([^"]*)"|([^,;"\s]*))')
_DRAFT_PAIR = re.compile(r"\b(limit|remaining|reset)=(\d{1,15})")


def stated_limits(headers: Mapping[str, str], *, now: float | None = None) -> tuple[StatedLimit, ...]:
    """Every limit on requests and tokens that an answer's headers state.

    Known forms, distinguished by the words in a header's name, in any order: OpenAI, Groq and Fireworks
    (`x-ratelimit-limit-requests`, durations), Azure (`x-ratelimit-renewalperiod-requests` besides), Anthropic
    (`anthropic-ratelimit-requests-limit`, ISO dates), Cerebras and Mistral (`x-ratelimit-limit-requests-day`,
    `x-ratelimit-limit-req-minute`), OpenRouter (`x-ratelimit-reset` in milliseconds of Unix time), Together
    (`x-tokenlimit-limit`), a proxy's own beside its provider's (`llm_provider-x-ratelimit-limit-requests`), and the
    IETF's draft, as it was (`ratelimit-limit: 100, 100;w=60`; `ratelimit: limit=100, remaining=50, reset=30`) and as
    it is since its eighth version (`ratelimit: "api";r=489;t=189` with `ratelimit-policy: "api";q=500;w=300`).

    Args:
        headers: response headers, with lower-case names.
        now: the current Unix time; by default the server's own (`date`), which stated times refer to.
    """
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for header, value in headers.items():
        words = header.replace("_", "-").replace("rate-limit", "ratelimit").split("-")
        field = next((word for word in words if word in _FIELDS), None)
        if field is None or _FAMILIES.isdisjoint(words) or not _OTHER_UNITS.isdisjoint(words):
            continue
        name = "-".join(word for word in words if word != field and word not in _FILLERS)
        found[name][field] = f"{value}ms" if field == "reset" and "ms" in words and value.isdecimal() else value
    for field, value in _DRAFT_PAIR.findall(headers.get("ratelimit", "")):
        found["ratelimit"][field] = value
    at = now or server_time_s(headers)
    policy = headers.get("ratelimit-policy", "")
    stated = (_stated(name, fields, policy, at) for name, fields in found.items())
    return (*(limit for limit in stated if limit is not None), *_drafted(headers.get("ratelimit", ""), policy))


def _stated(name: str, fields: Mapping[str, str], policy: str, now: float) -> StatedLimit | None:
    limit, remaining = _count(fields.get("limit")), _count(fields.get("remaining"))
    if not limit:
        return None
    words = name.split("-")
    policies = {int(count): float(seconds) for count, seconds in _POLICY.findall(f"{fields['limit']}, {policy}")}
    reset_s = _reset_s(fields.get("reset"), now)
    return StatedLimit(
        name,
        "tokens" if "token" in name else "requests",
        limit,
        None if remaining is not None and remaining > limit else remaining,
        reset_s,
        next((_WINDOWS_S[word] for word in words if word in _WINDOWS_S), None)
        or parse_duration_s(fields.get("renewalperiod"))
        or policies.get(limit)
        or None,
        is_coarse=_is_coarse(fields.get("reset", ""), reset_s),
    )


def _drafted(current: str, policy: str) -> Iterator[StatedLimit]:
    policies = _draft_items(policy)
    for name, state in _draft_items(current).items():
        stated = policies.get(name, {}) | state
        unit = stated.get("qu", "requests")
        limit, remaining = _count(stated.get("q")), _count(stated.get("r"))
        if limit and remaining is not None and remaining <= limit and unit in ("requests", "tokens"):
            kind: Kind = "tokens" if unit == "tokens" else "requests"
            reset_s, window_s = parse_duration_s(stated.get("t")), parse_duration_s(stated.get("w"))
            yield StatedLimit(f"ratelimit {name}", kind, limit, remaining, reset_s, window_s or None)


def _draft_items(value: str) -> dict[str, dict[str, str]]:
    """The parameters of each item of a structured field, by the item's name."""
    return {
        name.strip('"'): {key: quoted or plain for key, quoted, plain in _DRAFT_PARAMETER.findall(parameters)}
        for name, parameters in _DRAFT_ITEM.findall(value)
    }


def _reset_s(value: str | None, now: float) -> float | None:
    """Seconds until a reset; None if it has passed, or cannot be read.

    A duration, seconds, a Unix time in seconds or milliseconds, or a date.
    """
    left_s = seconds_until(value or "", parse_duration_s(value), now)
    return left_s if left_s is not None and left_s >= 0 else None


def _is_coarse(reset: str, reset_s: float | None) -> bool:
    is_date = reset_s is not None and parse_duration_s(reset) is None
    return is_date or reset.strip().isdecimal()


def _count(value: str | None) -> int | None:
    """Parse a whole number; some gateways write `100.0`, or add more limits after a comma."""
    first = "" if value is None else re.split("[,;]", value, maxsplit=1)[0].strip().removesuffix(".0")
    return int(first) if first.isascii() and first.isdigit() and len(first) <= _MOST_DIGITS else None
