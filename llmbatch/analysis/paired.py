"""Paired comparison of two arms on the same texts: significance, difference, and required sample size."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from llmbatch.stats.intervals import difference, wilson

_RISK, _POWER = 0.05, 0.8
"""Significance level, and statistical power."""


@dataclass(frozen=True, slots=True)
class McNemar:
    """McNemar's exact test (1947): does one arm have more than half of the texts that only one arm gets right?"""

    first_alone_right: int
    other_alone_right: int
    p_value: float
    """The p-value of this test alone, as if it were the only look at the only pair of arms."""
    p_any_look: float
    """The same, valid even if one looks again after adding rows."""
    p_adjusted: float = 1.0
    """The p-value used: corrected for the number of arms (Holm, 1979), and for repeated looks."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How much more often the other arm is right, in shares of texts (0.02 is two points), with its 95% interval."""

    value: float
    low: float
    high: float
    texts: int


@dataclass(frozen=True, slots=True)
class Table:
    """Counts of texts by which of two arms is right."""

    both: int
    only_first: int
    only_other: int
    neither: int

    @classmethod
    def of(cls, right: Sequence[tuple[bool, bool]]) -> "Table":
        """Build the table from pairs: whether the first and whether the other arm is right."""
        pairs = ((True, True), (True, False), (False, True), (False, False))
        return cls(*(sum(one == pair for one in right) for pair in pairs))

    @property
    def texts(self) -> int:
        """The number of texts."""
        return self.both + self.only_first + self.only_other + self.neither


def mcnemar(table: Table) -> McNemar:
    """McNemar's exact test, using the binomial distribution."""
    from scipy.stats import binomtest  # noqa: PLC0415 - an extra, and slow to import

    first, other = table.only_first, table.only_other
    p_value = float(binomtest(first, first + other).pvalue) if first + other else 1.0
    return McNemar(first, other, p_value, _any_look(first, other))


def _any_look(first: int, other: int) -> float:
    """An anytime-valid p-value: one over the evidence against an even split.

    The evidence is Robbins' mixture with a Beta(1/2, 1/2) prior (Ann. Math. Stat. 41, 1970), which is a martingale if
    the split is even and then exceeds 1/p with probability at most p (Ville's inequality).
    """
    mixture = math.lgamma(first + 0.5) + math.lgamma(other + 0.5) - math.lgamma(first + other + 1) - math.log(math.pi)
    return min(1.0, math.exp(-mixture - (first + other) * math.log(2)))


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for multiple testing, in the same order (Holm, Scandinavian Journal of Statistics 6, 1979)."""
    adjusted, so_far = [1.0] * len(p_values), 0.0
    for rank, n in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        so_far = max(so_far, min(1.0, (len(p_values) - rank) * p_values[n]))
        adjusted[n] = so_far
    return adjusted


def paired_difference(table: Table) -> Difference | None:
    """How much more often the other arm is right (Newcombe, Statistics in Medicine 17, 1998, paired method 10)."""
    texts = table.texts
    if not texts:
        return None
    first, other = (table.both + table.only_first) / texts, (table.both + table.only_other) / texts
    low, high = difference((other, *wilson(other, texts)), (first, *wilson(first, texts)), _phi(table))
    return Difference(other - first, low, high, texts)


def _phi(table: Table) -> float:
    """The correlation of the pairs, with the method's continuity correction; 0 if a margin is empty."""
    first, other = table.both + table.only_first, table.both + table.only_other
    margins = first * (table.texts - first) * other * (table.texts - other)
    if not margins:
        return 0.0
    together = table.both * table.neither - table.only_first * table.only_other
    return (max(together - table.texts / 2, 0.0) if together > 0 else together) / math.sqrt(margins)


def rows_to_tell(only_first: float, only_other: float) -> int | None:
    """Texts that a two-sided McNemar test at 5% needs to detect a difference with 80% power (Connor, 1987).

    Args:
        only_first: share of texts that only the first arm gets right.
        only_other: share of texts that only the other arm gets right.
    """
    apart, gap = only_first + only_other, abs(only_first - only_other)
    if gap == 0:
        return None
    risk, power = NormalDist().inv_cdf(1 - _RISK / 2), NormalDist().inv_cdf(_POWER)
    spread = risk * math.sqrt(apart) + power * math.sqrt(max(apart - gap**2, 0.0))
    return math.ceil(spread**2 / gap**2)


def rows_for(points: float, apart: int, texts: int) -> int:
    """Texts needed to demonstrate a given difference in accuracy, if the arms differ on `apart` of `texts`.

    The number depends on how often the arms differ. If they never did, the highest likely rate (95%) is used; the rate
    is always at least the difference itself. The exact test needs somewhat more than the normal approximation: the
    difference less one text, a continuity correction, must reach the same limit.

    Args:
        points: the difference, as a share.
        apart: texts on which the arms differ.
        texts: all texts.
    """
    share = apart / texts if apart else 1 - _RISK ** (1 / texts) if texts else 1.0
    share = max(share, points)
    needed = rows_to_tell((share + points) / 2, (share - points) / 2) or 0
    return math.ceil(needed / 4 * (1 + math.sqrt(1 + 4 / (needed * points))) ** 2)
