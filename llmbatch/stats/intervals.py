"""Intervals of shares and of their differences, at 95%: plain arithmetic, the same wherever a share is reported.

A text that occurs in many rows is one piece of evidence, since its rows are right or wrong together. So intervals take
the effective number of rows: as many independent rows as carry the same information.
"""

import math
from collections import Counter
from collections.abc import Hashable, Iterable

Z_95 = 1.959963984540054
"""The quantile of the standard normal distribution for a 95% interval."""


def effective_rows(texts: Iterable[Hashable]) -> float:
    """Number of independent rows with as much information as rows with these texts: all rows if each text occurs once.

    The squared number of rows divided by the sum of squared copies (Kish, Survey Sampling, 1965, section 8.2).
    """
    copies = Counter(texts).values()
    squares = sum(count * count for count in copies)
    return sum(copies) ** 2 / squares if squares else 0.0


def wilson(share: float, rows: float) -> tuple[float, float]:
    """Wilson's score interval (1927) of a share among `rows` effective rows; all of 0..1 if there are none.

    It contains the share itself, even at 0 and 1, where rounding could exclude it.
    """
    if rows <= 0:
        return 0.0, 1.0
    weight = Z_95 * Z_95 / rows
    centre = (share + weight / 2) / (1 + weight)
    half = Z_95 / (1 + weight) * math.sqrt(share * (1 - share) / rows + weight / (4 * rows))
    return min(max(centre - half, 0.0), share), max(min(centre + half, 1.0), share)


def difference(
    one: tuple[float, float, float], other: tuple[float, float, float], correlation: float = 0.0
) -> tuple[float, float]:
    """The interval of `one - other`, each given as its share and the ends of its interval.

    Newcombe's hybrid score interval (1998): method 10 of his paper on independent shares, and method 10 of the one on
    paired shares if `correlation` is the phi of the pairs.
    """
    (a, a_low, a_high), (b, b_low, b_high) = one, other

    def reach(left: float, right: float) -> float:
        return math.sqrt(max(left * left - 2 * correlation * left * right + right * right, 0.0))

    return max(a - b - reach(a - a_low, b_high - b), -1.0), min(a - b + reach(a_high - a, b - b_low), 1.0)


def weighted(parts: Iterable[tuple[float, float, float, float]]) -> tuple[float, float, float]:
    """A weighted mean of independent shares with its interval; each part is its weight, share, low and high end.

    The ends' distances are added in squares (MOVER: Zou and Donner, Statistics in Medicine 27, 2008), so that parts of
    few rows keep their skewed intervals. Weights add up to 1.
    """
    known = list(parts)
    share = sum(weight * value for weight, value, _, _ in known)
    down = math.sqrt(sum((weight * (value - low)) ** 2 for weight, value, low, _ in known))
    up = math.sqrt(sum((weight * (high - value)) ** 2 for weight, value, _, high in known))
    return share, max(share - down, 0.0), min(share + up, 1.0)
