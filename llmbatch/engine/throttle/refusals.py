"""Rate-limit refusals: signs of a limit, or of an endpoint that refuses occasionally whatever the rate."""

import math
from collections import deque

_LATEST = 200
"""Number of requests considered."""
_FEWEST, _CHANCE = 3, 1.64
_RANDOM_SHARE = 0.2
"""Share of the latest requests. A limit refuses more the more it is exceeded, and while few are refused, more are sent:
so refusals that stay below this share do not depend on the rate."""


def is_over(count: int, expected: float) -> bool:
    """Whether a count of refusals exceeds the expected one by more than chance (one-sided, about 5%)."""
    return count >= _FEWEST and count > expected + _CHANCE * math.sqrt(expected)


class Refusals:
    """Distinguishes random refusals, which concern only their own row, from those for which all rows must wait."""

    def __init__(self) -> None:
        self._latest: deque[bool] = deque(maxlen=_LATEST)
        self._refused = 0

    def are_random(self, in_flight: int) -> bool:
        """Whether they are independent of the rate. The first few are assumed to be a limit.

        Requests in flight count as passed: refusals come sooner than answers.
        """
        return self._refused > _FEWEST and self.are_few(in_flight)

    def are_few(self, in_flight: int) -> bool:
        """Whether so few of the latest requests were refused that there is no need to slow down."""
        return not is_over(self._refused, _RANDOM_SHARE * (len(self._latest) + in_flight))

    def passed(self) -> None:
        """Record that a request passed."""
        self._add(refused=False)

    def refused(self) -> None:
        """Record that a request was refused."""
        self._add(refused=True)

    def _add(self, *, refused: bool) -> None:
        if len(self._latest) == _LATEST:
            self._refused -= self._latest[0]
        self._latest.append(refused)
        self._refused += refused
