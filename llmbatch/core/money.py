"""Money as whole nano-dollars (1e-9 USD): sums stay exact, caps stay hard."""

NANO = 1_000_000_000


NOTHING = 0.0
"""No dollars: this very object, by which the ledger's encoder knows what it may leave out."""


def to_usd(nanousd: int) -> float:
    """US dollars of an amount in nano-dollars, as files carry it."""
    return nanousd / NANO if nanousd else NOTHING


def to_nanousd(usd: float) -> int:
    """Nano-dollars of an amount that `to_usd` wrote; exact up to nine million dollars."""
    return round(usd * NANO) if usd else 0
