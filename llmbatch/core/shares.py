"""Shares as users write them, and as they read them."""

from llmbatch.core.errors import UsageError


def share_of(text: str) -> float | None:
    """A share of 1 from `90%` or `0.9`; None where it is neither, or not from 0 to 1."""
    number = text.strip()
    try:
        share = float(number.removesuffix("%")) / (100 if number.endswith("%") else 1)
    except ValueError:
        return None
    return share if 0 <= share <= 1 else None


def parse_percentage(option: str, text: str, *, hint: str) -> float:
    """A share of 1 from `50%`, which is not 0.5 where that could be meant as half a percent.

    Args:
        option: whose value it is, as the message names it.
        text: as the user writes it.
        hint: what to write instead.

    Raises:
        UsageError: it is not a percentage from 0 to 100.
    """
    share = share_of(text) if text.strip().endswith("%") else None
    if share is None:
        raise UsageError(f"{option} {text!r} is not a percentage", hint=hint)
    return share


def percent(part: float, whole: float) -> str:
    """A share: `12.3%`, `100%`, never a rounded 0% or 100% that is not one."""
    if not whole:
        return "0%"
    share = 100 * part / whole
    if share in (0, 100):
        return f"{share:.0f}%"
    return f"{min(max(share, 0.1), 99.9):.1f}%"
