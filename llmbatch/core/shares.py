"""Shares as users write them."""


def share_of(text: str) -> float | None:
    """A share of 1 from `90%` or `0.9`; None where it is neither, or not from 0 to 1."""
    number = text.strip()
    try:
        share = float(number.removesuffix("%")) / (100 if number.endswith("%") else 1)
    except ValueError:
        return None
    return share if 0 <= share <= 1 else None
