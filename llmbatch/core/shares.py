"""Parses and formats shares."""

from llmbatch.core.errors import UsageError


def share_of(text: str) -> float | None:
    """Parse a share of 1 from `90%` or `0.9`; None if it is neither, or not between 0 and 1."""
    number = text.strip()
    try:
        share = float(number.removesuffix("%")) / (100 if number.endswith("%") else 1)
    except ValueError:
        return None
    return share if 0 <= share <= 1 else None


def parse_percentage(option: str, text: str, *, hint: str) -> float:
    """Parse a share of 1 from `50%`; `0.5` is rejected, since it could mean half a percent.

    Args:
        option: the option's name, for the message.
        text: the user's value.
        hint: what to write instead.

    Raises:
        UsageError: it is not a percentage from 0 to 100.
    """
    share = share_of(text) if text.strip().endswith("%") else None
    if share is None:
        raise UsageError(f"{option} {text!r} is not a percentage", hint=hint)
    return share


def percent(part: float, whole: float) -> str:
    """Format a share: `12.3%`, `100%`; never 0% or 100% by rounding alone."""
    if not whole:
        return "0%"
    share = 100 * part / whole
    if share in (0, 100):
        return f"{share:.0f}%"
    return f"{min(max(share, 0.1), 99.9):.1f}%"
