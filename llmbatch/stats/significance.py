"""Significance tests: exact, and without any library, since every run uses them.

p-values are two-sided and hold at every number of rows, from two to millions, and for any ties. `rates_differ` is
Fisher's exact test; the others come down to it, so that none leans on a normal approximation that a few rows, a rare
label or a confidence of two values would break. For repeated looks (a canary on trial), only `arms.ArmEvidence` is
valid.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate

from llmbatch.stats.profile import Distribution

_AS_RARE = 1e-7
"""Tolerance for tables as rare as the observed one, as in scipy and R: rounding must not separate equal ones."""
_NEGLIGIBLE = 1e-18
_CUTS = (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98)
"""Quantiles of both samples together at which two distributions are compared: their middle and both tails."""
_EXPECTED = 25
"""Labels are combined until this many are expected in each sample: with fewer, chi-squared's tail is too long."""
_EXACT_SHARE = 0.75
"""Share of the risk for the exact tests of single labels; the rest is for the chi-squared test."""


def rates_differ(hits: int, count: int, other_hits: int, other_count: int) -> float:
    """p-value of Fisher's exact test (1935) that two rates are the same; 1 if there is nothing to compare.

    Two-sided by the usual rule: the probability of all tables with these totals that are no likelier than this one.
    """
    total, rows = hits + other_hits, count + other_count
    low, high = max(0, total - other_count), min(total, count)
    if low == high:
        return 1.0

    def log_chance(k: int) -> float:
        return _log_choose(count, k) + _log_choose(other_count, total - k) - _log_choose(rows, total)

    def as_rare(k: int) -> bool:
        return log_chance(k) <= seen + _AS_RARE

    seen = log_chance(hits)
    mode = min(max((total + 1) * (count + 1) // (rows + 2), low), high)
    if as_rare(mode):
        return 1.0
    left = bisect_left(range(low, mode), True, key=lambda k: not as_rare(k)) + low - 1
    right = bisect_left(range(mode, high + 1), True, key=as_rare) + mode

    def ratio_up(k: int) -> float:
        return (count - k) * (total - k) / ((k + 1) * (other_count - total + k + 1))

    tails = 0.0
    if left >= low:
        tails += _tail(left, low, math.exp(log_chance(left)), lambda k: 1 / ratio_up(k - 1))
    if right <= high:
        tails += _tail(right, high, math.exp(log_chance(right)), ratio_up)
    return min(tails, 1.0)


def distributions_differ(one: Distribution, other: Distribution) -> float:
    """p-value that two samples of figures come from one distribution; 1 if all figures are the same.

    Both samples are cut at quantiles of the two together, where each cut makes a table for Fisher's exact test: the
    median test (Mood, 1950) at several quantiles, corrected for their number (Bonferroni). The cuts depend only on the
    pooled figures, so the p-value is exact whatever their distribution.
    """
    values = sorted({*one.counts, *other.counts})
    ones = list(accumulate(one.counts.get(value, 0) for value in values))
    others = list(accumulate(other.counts.get(value, 0) for value in values))
    cuts = _cuts([a + b for a, b in zip(ones, others, strict=True)])
    if not cuts:
        return 1.0
    return min(1.0, len(cuts) * min(rates_differ(ones[n], ones[-1], others[n], others[-1]) for n in cuts))


def shares_differ(one: Mapping[str, int], other: Mapping[str, int]) -> float:
    """p-value that two counts of labels come from one distribution; 1 for a single label, or nothing to compare.

    Each label by Fisher's exact test, corrected for their number (Bonferroni), which sees one label that moved; and,
    where the counts are large enough for it, Pearson's chi-squared test (1900), which sees many that moved a little.
    The two share the risk.
    """
    totals = (sum(one.values()), sum(other.values()))
    names = sorted({*one, *other})
    if not all(totals) or len(names) < 2:  # noqa: PLR2004 - one label has no distribution
        return 1.0
    tests = len(names) if len(names) > 2 else 1  # noqa: PLR2004 - of two labels, one determines the other
    rarest = min(rates_differ(one.get(name, 0), totals[0], other.get(name, 0), totals[1]) for name in names)
    columns = _columns(one, other, names, totals)
    if len(columns) < 3:  # noqa: PLR2004 - two columns are what Fisher's test has seen already
        return min(1.0, tests * rarest)
    return min(1.0, tests * rarest / _EXACT_SHARE, _chi_squared(columns, totals) / (1 - _EXACT_SHARE))


def distance(one: Mapping[str, int], other: Mapping[str, int]) -> float:
    """Total variation distance of two counts of labels: the share (0..1) that would have to move."""
    total, other_total = sum(one.values()), sum(other.values())
    if not total or not other_total:
        return 0.0
    return sum(abs(one.get(n, 0) / total - other.get(n, 0) / other_total) for n in {*one, *other}) / 2


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _tail(first: int, last: int, chance: float, ratio: Callable[[int], float]) -> float:
    """The probability of `first` and all beyond it up to `last`; `ratio` leads from one to the next."""
    step, total = 1 if last >= first else -1, chance
    for k in range(first, last, step):
        chance *= ratio(k)
        total += chance
        if chance <= _NEGLIGIBLE * total:
            break
    return total


def _cuts(pooled: Sequence[int]) -> list[int]:
    """Where to cut, as positions among the distinct values: all but the last if they are few, else at quantiles."""
    last = len(pooled) - 1
    if last <= len(_CUTS):
        return list(range(max(last, 0)))
    return sorted({min(bisect_left(pooled, share * pooled[-1]), last - 1) for share in _CUTS})


def _columns(
    one: Mapping[str, int], other: Mapping[str, int], names: Sequence[str], totals: tuple[int, int]
) -> list[tuple[int, int]]:
    """Counts by label, with neighbours by name combined until enough are expected of each in both samples."""
    share = min(totals) / sum(totals)
    columns, open_ = [], (0, 0)
    for name in names:
        open_ = (open_[0] + one.get(name, 0), open_[1] + other.get(name, 0))
        if sum(open_) * share >= _EXPECTED:
            columns.append(open_)
            open_ = (0, 0)
    if columns:
        last = columns.pop()
        columns.append((last[0] + open_[0], last[1] + open_[1]))
    return columns


def _chi_squared(columns: Sequence[tuple[int, int]], totals: tuple[int, int]) -> float:
    statistic = 0.0
    for column in columns:
        for observed, total in zip(column, totals, strict=True):
            expected = sum(column) * total / sum(totals)
            statistic += (observed - expected) ** 2 / expected
    return chi_squared_tail(statistic, len(columns) - 1)


def chi_squared_tail(statistic: float, degrees: int) -> float:
    """The probability that chi-squared with this many degrees of freedom is larger (Abramowitz and Stegun, 26.4)."""
    half = statistic / 2
    if half <= 0:
        return 1.0
    begin = degrees % 2 / 2
    powers = (n + begin for n in range(degrees // 2))
    terms = sum(math.exp(power * math.log(half) - half - math.lgamma(power + 1)) for power in powers)
    return min(1.0, terms + (math.erfc(math.sqrt(half)) if degrees % 2 else 0.0))
