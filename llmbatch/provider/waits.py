"""Reads how long a server asks to wait, from its headers or message. Unreadable values count as absent."""

import math
import re
from collections.abc import Mapping

from llmbatch.provider.dates import seconds_until, server_time_s

_DURATION = re.compile(
    r"(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?"
)
_UNITS_S = (86400.0, 3600.0, 60.0, 1.0, 0.001)
_UNIT = r"ms|milliseconds?|s|sec(?:ond)?s?|m|min(?:ute)?s?|h|hours?|d|days?"
_SPELLED_PART = re.compile(rf"(\d+(?:\.\d+)?)\s*({_UNIT})(?![a-z])")
# OpenAI, Groq: "Please try again in 7m12.5s."; Azure: "Please retry after 26 seconds."; Gemini: "retry in 32.5s."
_IN_TEXT = re.compile(
    r"(?:try(?:ing)? again|retry(?:ing)?|wait)(?: \w+)? (?:in |after |for )?"
    rf"((?:\d+(?:\.\d+)?\s*(?:{_UNIT})(?![a-z])\s*)+)"
)
_MILLISECONDS = ("ms", "millisecond", "milliseconds")
_SPELLED_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def server_wait_s(headers: Mapping[str, str], *, now: float | None = None) -> float | None:
    """Seconds to wait by `retry-after-ms`, then `retry-after` (seconds, a Unix time or a date), or None.

    Args:
        headers: the response headers, with lower-case names.
        now: the current Unix time; by default the server's own.

    Negative, infinite and unreadable values count as absent; a past date means no wait.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after", "")
    wait_s = seconds_until(value, _number(value), now or server_time_s(headers))
    return None if wait_s is None else max(wait_s, 0.0)


def wait_in_text_s(text: str) -> float | None:
    """Seconds to wait according to an error's text, in lower case (`please try again in 6m0s`), or None."""
    match = _IN_TEXT.search(text)
    if match is None:
        return None
    parts = _SPELLED_PART.findall(match[1])
    return sum(float(number) * _SPELLED_UNITS_S["ms" if unit in _MILLISECONDS else unit[0]] for number, unit in parts)


def parse_duration_s(value: str | None) -> float | None:
    """Parse a duration in the form of `x-ratelimit-reset-*` (`6m0s`, `12ms`, `1s`), in seconds, or None."""
    if not value:
        return None
    match = _DURATION.fullmatch(value.strip())
    if match is None or not any(match.groups()):
        return _number(value)
    return sum(float(part) * unit for part, unit in zip(match.groups(), _UNITS_S, strict=True) if part)


def _number(value: str | None) -> float | None:
    if value is None:
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
