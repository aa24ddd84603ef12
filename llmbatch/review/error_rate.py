"""The model's error rate, estimated from the rows that people reviewed."""

from collections.abc import Sequence
from dataclasses import dataclass

from llmbatch.stats.intervals import effective_rows, weighted, wilson


@dataclass(frozen=True, slots=True)
class ErrorRate:
    """How many rows people checked, and how many of them the model got wrong."""

    checked: int = 0
    wrong: int = 0
    effective: float | None = None
    """The effective number of rows if some share a text; None if all count."""
    estimate: tuple[float, float, float] | None = None
    """The weighted share and its interval if rows represent different numbers of others; None for the plain share."""

    @property
    def share(self) -> float | None:
        """The share of wrong answers, 0..1; None if nothing was checked."""
        if self.estimate is not None:
            return self.estimate[0]
        return self.wrong / self.checked if self.checked else None

    @property
    def interval(self) -> tuple[float, float]:
        """The 95% confidence interval of the true share (Wilson's score interval, 1927); 0..1 if unknown."""
        if self.estimate is not None:
            return self.estimate[1:]
        if not self.checked:
            return 0.0, 1.0
        return wilson(self.wrong / self.checked, self.checked if self.effective is None else self.effective)


@dataclass(frozen=True, slots=True)
class SampledRow:
    """A row of the random sample. `wrong` is None while it is undecided."""

    place: tuple[int, int]
    """Sort key: the order in which the sample is reviewed."""
    text: str
    passed: bool
    """Whether its confidence was high enough to pass without review."""
    wrong: bool | None


ENOUGH = 10
"""Rows that must be decided in the sample's order before a rate is reported; a smaller sample needs only its own
size."""


def rate_in_order(rows: Sequence[SampledRow]) -> ErrorRate:
    """The error rate of the decided rows up to the first gap in the sample's order.

    The sample's order is random, so its first rows are a random sample too. Rows beyond a gap were decided for some
    other reason, for example because they needed review, and are not representative.
    """
    decided: list[SampledRow] = []
    for row in sorted(rows, key=lambda row: row.place):
        if row.wrong is None:
            break
        decided.append(row)
    return ErrorRate(len(decided), sum(bool(row.wrong) for row in decided), effective_rows(row.text for row in decided))


def stratified_rate(rows: Sequence[SampledRow], answered: tuple[int, int]) -> ErrorRate:
    """The error rate of all answered rows: passed rows and rows in review, each weighted by its count.

    The stratified estimate (Cochran, Sampling Techniques, 1977, chapter 5): people look at the rows in review first, so
    different shares of the two groups are decided. There is no estimate until each group has a row decided in order and
    enough rows are decided in total.

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
