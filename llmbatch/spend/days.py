"""Days of spending. A day is a UTC day, as the providers' own usage pages have it and as no clock change shifts it."""

from datetime import UTC, date, datetime, time, timedelta

from llmbatch.core.errors import UsageError


def utc_now() -> datetime:
    """The present time."""
    return datetime.now(UTC)


def day_of(moment: datetime) -> str:
    """The UTC day of an instant, as `2026-11-25`."""
    return moment.astimezone(UTC).date().isoformat()


def next_day_begins(day: str) -> datetime:
    """The instant at which a day is over."""
    return datetime.combine(date.fromisoformat(day) + timedelta(days=1), time(), UTC)


def parse_day(text: str, option: str) -> date:
    """A day as the user writes it: `2026-11-25`.

    Raises:
        UsageError: it is none; `option` names where it stood.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option} {text!r} is not a day", hint=f"say {option} 2026-11-25") from None
