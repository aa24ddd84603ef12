"""Money as whole nano-dollars (1e-9 USD): sums stay exact, caps stay hard."""

NANO = 1_000_000_000


NOTHING = 0.0
"""Zero dollars: the ledger's encoder recognises this very object and leaves it out."""


def to_usd(nanousd: int) -> float:
    """Convert nano-dollars to US dollars, as written in files."""
    return nanousd / NANO if nanousd else NOTHING


def to_nanousd(usd: float) -> int:
    """Convert an amount from `to_usd` back to nano-dollars; exact up to nine million dollars."""
    return round(usd * NANO) if usd else 0
