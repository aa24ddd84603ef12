"""How many simulated runs may break a statistical guarantee before its test fails."""

from scipy.stats import binom

from llmbatch.core.ledger_line import CONTROL, FAILED, OK, LedgerLine, RowError
from tests.thorough import IS_TORTURE

_BY_CHANCE = 1e-4
"""The probability that the test of a guarantee that just holds fails."""


def runs(quick: int, long: int) -> range:
    """The seeds of the simulated runs."""
    return range(long if IS_TORTURE else quick)


def most(promised: float, among: int) -> int:
    """How many of `among` runs may break a guarantee that is broken with probability `promised`."""
    return int(binom.ppf(1 - _BY_CHANCE, among, promised))


def fewest(promised: float, among: int) -> int:
    """How many of `among` runs must show an effect that is shown with probability `promised`."""
    return int(binom.ppf(_BY_CHANCE, among, promised))


def row_line(
    row: int,
    *,
    label: str = "a",
    confidence: float = 0.9,
    tokens: int = 100,
    bad: bool = False,
    arm: str = CONTROL,
    prompt: str = "a" * 12,
) -> LedgerLine:
    """A row's ledger line; a bad row failed with an answer that is not a label."""
    return LedgerLine(
        row=row,
        id=f"id-{row}",
        key=f"{row:032x}",
        status=FAILED if bad else OK,
        category=None if bad else label,
        confidence=None if bad else confidence,
        arm=arm,
        prompt=prompt,
        model="m",
        started_at="2026-11-25T00:00:00.000000Z",
        parse="invalid" if bad else "clean",
        input_tokens=tokens,
        error=RowError("invalid", None, "no label") if bad else None,
    )
