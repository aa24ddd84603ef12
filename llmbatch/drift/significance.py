"""Is a difference more than chance? Tests that need no library, since every run makes them.

p-values are two-sided. Where somebody looks again and again (a canary under way), only the confidence sequence below is
allowed: it holds at all times at once, so that looking often is no error.
"""

import math
from collections.abc import Callable, Mapping
from statistics import NormalDist

from llmbatch.drift.profile import Mean

_NORMAL = NormalDist()
_Check = Callable[[float], bool]
_RAREST_EXPECTED = 5.0
"""Labels expected fewer times than this are taken together (Cochran's rule)."""
_BISECTIONS = 24
"""Bounds to within a ten-millionth."""


def proportions_differ(hits: int, count: int, other_hits: int, other_count: int) -> float:
    """p-value of the two-proportion z-test with pooled variance; 1 where there is nothing to compare."""
    if not count or not other_count:
        return 1.0
    pooled = (hits + other_hits) / (count + other_count)
    variance = pooled * (1 - pooled) * (1 / count + 1 / other_count)
    return _two_sided(hits / count - other_hits / other_count, variance)


def means_differ(one: Mean, other: Mean) -> float:
    """p-value of Welch's test by the normal distribution, good from some thirty values on; 1 for fewer than two."""
    if min(one.count, other.count) < 2:  # noqa: PLR2004 - one value has no spread
        return 1.0
    return _two_sided(one.value - other.value, one.variance / one.count + other.variance / other.count)


def shares_differ(one: Mapping[str, int], other: Mapping[str, int]) -> float:
    """p-value of the chi-squared test that two counts of labels come from one distribution.

    Rare labels are taken together. The chi-squared tail is Wilson and Hilferty's (1931), right to a few percent.
    """
    totals = (sum(one.values()), sum(other.values()))
    if not all(totals):
        return 1.0
    columns = _columns(one, other, totals)
    if len(columns) < 2:  # noqa: PLR2004 - one label has no distribution
        return 1.0
    statistic = 0.0
    for column in columns:
        for observed, total in zip(column, totals, strict=True):
            expected = sum(column) * total / sum(totals)
            statistic += (observed - expected) ** 2 / expected
    return _chi_squared_tail(statistic, len(columns) - 1)


def distance(one: Mapping[str, int], other: Mapping[str, int]) -> float:
    """Total variation distance of two counts of labels: the share (0..1) that would have to move."""
    total, other_total = sum(one.values()), sum(other.values())
    if not total or not other_total:
        return 0.0
    return sum(abs(one.get(n, 0) / total - other.get(n, 0) / other_total) for n in {*one, *other}) / 2


def always_valid_bounds(hits: int, count: int, alpha: float) -> tuple[float, float]:
    """A confidence sequence for a rate: with probability 1 - alpha it holds the true rate at all counts at once.

    Robbins' mixture with a Beta(1/2, 1/2) prior: rates against which the mixture has gathered 1/alpha times their
    likelihood are out (H. Robbins, Ann. Math. Stat. 41, 1970; Howard et al., Ann. Stat. 49, 2021).
    """
    if not count:
        return 0.0, 1.0
    mixture = _log_beta(hits + 0.5, count - hits + 0.5) - _log_beta(0.5, 0.5)
    most = math.log(1 / alpha)

    def is_out(rate: float) -> bool:
        likelihood = _times_log(hits, rate) + _times_log(count - hits, 1 - rate)
        return mixture - likelihood > most

    seen = hits / count
    lower = _border(0.0, seen, is_out) if is_out(0.0) else 0.0
    upper = _border(1.0, seen, is_out) if is_out(1.0) else 1.0
    return lower, upper


def _border(outside: float, inside: float, is_out: _Check) -> float:
    for _ in range(_BISECTIONS):
        middle = (outside + inside) / 2
        outside, inside = (middle, inside) if is_out(middle) else (outside, middle)
    return outside


def _two_sided(difference: float, variance: float) -> float:
    if variance <= 0:
        return 1.0 if difference == 0 else 0.0
    return 2 * (1 - _NORMAL.cdf(abs(difference) / math.sqrt(variance)))


def _columns(one: Mapping[str, int], other: Mapping[str, int], totals: tuple[int, int]) -> list[tuple[int, int]]:
    share = min(totals) / sum(totals)
    columns, rare = [], (0, 0)
    for name in sorted({*one, *other}):
        column = (one.get(name, 0), other.get(name, 0))
        if sum(column) * share >= _RAREST_EXPECTED:
            columns.append(column)
        else:
            rare = (rare[0] + column[0], rare[1] + column[1])
    return [*columns, rare] if sum(rare) * share >= _RAREST_EXPECTED else columns


def _chi_squared_tail(statistic: float, degrees: int) -> float:
    spread = 2 / (9 * degrees)
    return 1 - _NORMAL.cdf(((statistic / degrees) ** (1 / 3) - (1 - spread)) / math.sqrt(spread))


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _times_log(count: int, rate: float) -> float:
    if count == 0:
        return 0.0
    return count * math.log(rate) if rate > 0 else -math.inf
