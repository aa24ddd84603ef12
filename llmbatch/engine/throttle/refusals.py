"""Rate-limit refusals: signs of a limit, or of an endpoint that refuses now and then whatever the rate."""

import math
from collections import deque

_LATEST = 200
"""Requests that are looked at."""
_FEWEST, _CHANCE = 3, 1.64
_RANDOM_SHARE = 0.2
"""Of the latest requests. A limit that is passed by more refuses more, and while few are refused, more are sent: so
refusals that stay under it do not follow the rate."""


def is_over(count: int, expected: float) -> bool:
    """Whether a count of refusals is more than chance makes of an expected one (one-sided, about 5%)."""
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
        """Whether so few of the latest requests were refused that nothing needs to be slowed down for them."""
        return not is_over(self._refused, _RANDOM_SHARE * (len(self._latest) + in_flight))

    def passed(self) -> None:
        """A request was let through."""
        self._add(refused=False)

    def refused(self) -> None:
        """A request was refused."""
        self._add(refused=True)

    def _add(self, *, refused: bool) -> None:
        if len(self._latest) == _LATEST:
            self._refused -= self._latest[0]
        self._latest.append(refused)
        self._refused += refused
