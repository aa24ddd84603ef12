"""Shares as users write them, and as they read them."""


def share_of(text: str) -> float | None:
    """A share of 1 from `90%` or `0.9`; None where it is neither, or not from 0 to 1."""
    number = text.strip()
    try:
        share = float(number.removesuffix("%")) / (100 if number.endswith("%") else 1)
    except ValueError:
        return None
    return share if 0 <= share <= 1 else None


def percent(part: float, whole: float) -> str:
    """A share: `12.3%`, `100%`, never a rounded 0% or 100% that is not one."""
    if not whole:
        return "0%"
    share = 100 * part / whole
    if share in (0, 100):
        return f"{share:.0f}%"
    return f"{min(max(share, 0.1), 99.9):.1f}%"
