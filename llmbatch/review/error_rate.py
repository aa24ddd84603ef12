"""How often the model is wrong, as far as people have looked."""

from collections.abc import Sequence
from dataclasses import dataclass

from llmbatch.stats.intervals import effective_rows, weighted, wilson


@dataclass(frozen=True, slots=True)
class ErrorRate:
    """Rows that people looked at, and how many of them the model had wrong."""

    checked: int = 0
    wrong: int = 0
    effective: float | None = None
    """The effective number of rows, if some have the same text; None for all of them."""
    estimate: tuple[float, float, float] | None = None
    """The share and its interval where rows stand for different numbers of others; None for the plain share."""

    @property
    def share(self) -> float | None:
        """The share that is wrong, 0..1; None where nothing was checked."""
        if self.estimate is not None:
            return self.estimate[0]
        return self.wrong / self.checked if self.checked else None

    @property
    def interval(self) -> tuple[float, float]:
        """Where the true share lies with 95% confidence (Wilson's score interval, 1927); all of 0..1 where unknown."""
        if self.estimate is not None:
            return self.estimate[1:]
        if not self.checked:
            return 0.0, 1.0
        return wilson(self.wrong / self.checked, self.checked if self.effective is None else self.effective)


@dataclass(frozen=True, slots=True)
class SampledRow:
    """A row of the random sample. `wrong` is None where no person has decided yet."""

    place: tuple[int, int]
    """By which the sample is walked."""
    text: str
    passed: bool
    """Whether its confidence let it pass without review."""
    wrong: bool | None


ENOUGH = 10
"""Rows decided in the sample's order before a rate is given; fewer do where the sample has fewer."""


def rate_in_order(rows: Sequence[SampledRow]) -> ErrorRate:
    """The error rate of the rows that are decided without a gap from the sample's beginning on.

    The sample's order is random, so its first rows are a random sample too, whichever rows people picked besides: rows
    beyond a gap were decided for a reason, say because they waited for review, and say nothing about the others.
    """
    decided: list[SampledRow] = []
    for row in sorted(rows, key=lambda row: row.place):
        if row.wrong is None:
            break
        decided.append(row)
    return ErrorRate(len(decided), sum(bool(row.wrong) for row in decided), effective_rows(row.text for row in decided))


def stratified_rate(rows: Sequence[SampledRow], answered: tuple[int, int]) -> ErrorRate:
    """The error rate of all answered rows, from those that passed and those that went to review, each by its number.

    The stratified estimate (Cochran, Sampling Techniques, 1977, chapter 5): people look at the rows in review first, so
    the two kinds are decided to different parts. Nothing is known before each has a row decided in order, and enough
    have in all.

    Args:
        rows: the sample.
        answered: how many rows of the run passed and how many went to review.
    """
    strata = [[row for row in rows if row.passed], [row for row in rows if not row.passed]]
    if not all(strata):
        rate = rate_in_order(rows)
        return rate if rate.checked >= min(ENOUGH, len(rows)) else ErrorRate()
    rates = [rate_in_order(stratum) for stratum in strata]
    checked = sum(rate.checked for rate in rates)
    if not all(rate.checked for rate in rates) or checked < min(ENOUGH, len(rows)):
        return ErrorRate()
    shares = [count / sum(answered) for count in answered]
    parts = [(weight, rate.share or 0.0, *rate.interval) for weight, rate in zip(shares, rates, strict=True)]
    return ErrorRate(checked, sum(rate.wrong for rate in rates), estimate=weighted(parts))
