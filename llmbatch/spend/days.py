"""Days of spending. A day is a UTC day, as on the providers' usage pages, and unaffected by clock changes."""

from datetime import UTC, date, datetime, time, timedelta

from llmbatch.core.errors import UsageError


def utc_now() -> datetime:
    """The current time in UTC."""
    return datetime.now(UTC)


def day_of(moment: datetime) -> str:
    """The UTC day of an instant, as `2026-11-25`."""
    return moment.astimezone(UTC).date().isoformat()


def next_day_begins(day: str) -> datetime:
    """The time at which a day ends."""
    return datetime.combine(date.fromisoformat(day) + timedelta(days=1), time(), UTC)


def parse_day(text: str, option: str) -> date:
    """Parse a day as written by the user: `2026-11-25`.

    Raises:
        UsageError: it is not a day; `option` names the option.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option} {text!r} is not a day", hint=f"use {option} 2026-11-25") from None
