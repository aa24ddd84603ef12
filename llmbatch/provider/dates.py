"""Reads points in time from response headers."""

import email.utils
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime

_UNIX_S, _UNIX_MS = 1e9, 1e11
"""From here on, a number is not of seconds but a time: 2001 in seconds, 1973 in milliseconds."""


def server_time_s(headers: Mapping[str, str]) -> float:
    """The server's own clock (`date`), to which the times that it states refer; otherwise this machine's.

    Args:
        headers: response headers, with lower-case names.
    """
    stated = date_s(headers.get("date", ""))
    return time.time() if stated is None else stated


def seconds_until(text: str, number: float | None, now: float) -> float | None:
    """Seconds until what a header states: seconds, a Unix time in seconds or milliseconds, or a date.

    Args:
        text: the header's value.
        number: the same as a number; None if it is not one.
        now: the current Unix time.

    Returns:
        The seconds, negative if the time has passed; None if the value cannot be read.
    """
    if number is None:
        moment = date_s(text)
        return None if moment is None else moment - now
    if number < _UNIX_S:
        return number
    return (number / 1000 if number >= _UNIX_MS else number) - now


def date_s(text: str) -> float | None:
    """The Unix time of a date, or None: HTTP's, ISO 8601, or what JavaScript's `Date.toString()` gives.

    A date without a time zone is UTC (RFC 9110, 5.6.7), whatever this machine's zone is.
    """
    for read in (datetime.fromisoformat, _of_email_or_javascript):
        try:
            moment = read(text.strip())
            return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
        except (ValueError, TypeError, OverflowError, OSError):
            continue
    return None


def _of_email_or_javascript(text: str) -> datetime:
    """HTTP's form, or `Tue Feb 16 2021 09:02:42 GMT+0100 (Central European Standard Time)`."""
    return email.utils.parsedate_to_datetime(re.sub(r"GMT([+-]\d{4}).*", r"\1", text))
