"""How often the model is wrong, as far as people have looked."""

from dataclasses import dataclass
from math import sqrt

_Z = 1.959963984540054
"""Of the standard normal distribution, for an interval of 95%."""


@dataclass(frozen=True, slots=True)
class ErrorRate:
    """Rows that people looked at, and how many of them the model had wrong."""

    checked: int = 0
    wrong: int = 0

    @property
    def share(self) -> float | None:
        """The share that is wrong, 0..1; None where nothing was checked."""
        return self.wrong / self.checked if self.checked else None

    @property
    def interval(self) -> tuple[float, float]:
        """Where the true share lies with 95% confidence (Wilson's score interval, 1927)."""
        return wilson(self.wrong, self.checked)


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """Wilson's 95% interval of a share; all of 0..1 where there were no trials."""
    if not trials:
        return 0.0, 1.0
    share, weight = hits / trials, _Z * _Z / trials
    centre = (share + weight / 2) / (1 + weight)
    half = _Z / (1 + weight) * sqrt(share * (1 - share) / trials + weight / (4 * trials))
    return max(centre - half, 0.0), min(centre + half, 1.0)
