"""A limit that the endpoint does not state, found by its refusals."""

import math
from collections import deque

_WINDOW_S = 1.0
"""Also what a bucket holds, mostly: at first up to twice the limit passes in a second."""
_FEWEST = 3
"""Of each kind in the window: a rate cannot be told from fewer."""
_REFUSED_SHARE = 0.03
"""Refusals in the window that mean a limit; fewer are somebody else's traffic or a bad day."""
_FIRST_CUT, _CUT = 0.5, 0.9
"""What is kept of the rate that passed: half where a full bucket may have helped, then nine tenths."""
_FIRST_GROWTH_PER_S, _GROWTH_PER_S = 0.14, 0.01
"""Of the rate: quickly until the second cut shows where the limit is, then with next to no refusals."""
_FORGOTTEN_AT = 16.0
"""Times the rate after the last cut at which the limit is taken to be gone."""


class FoundRate:
    """Requests a second that pass, after many in one second did not; grows while none is refused."""

    def __init__(self) -> None:
        self._passed: deque[float] = deque()
        self._refused: deque[float] = deque()
        self._base: float | None = None
        self._cut_at = 0.0
        self._cuts = 0

    def answered(self, now: float) -> None:
        """A request passed."""
        self._passed.append(now)
        _forget(self._passed, now)

    def refused(self, now: float) -> None:
        """A request was refused for its rate."""
        self._refused.append(now)
        _forget(self._refused, now)
        _forget(self._passed, now)
        if len(self._passed) < _FEWEST or len(self._refused) < max(_FEWEST, _REFUSED_SHARE * len(self._passed)):
            return
        if self._cuts and now - self._cut_at < _WINDOW_S:
            return  # these left before the last cut could tell
        self._base = len(self._passed) / _WINDOW_S * (_CUT if self._cuts else _FIRST_CUT)
        self._cut_at = now
        self._cuts += 1

    def per_s(self, now: float) -> float | None:
        """The rate to keep, or None where there is no limit to be seen."""
        if self._base is None:
            return None
        growth = _FIRST_GROWTH_PER_S if self._cuts == 1 else _GROWTH_PER_S
        factor = math.exp((now - self._cut_at) * growth)
        if factor > _FORGOTTEN_AT:
            self._base, self._cuts = None, 0
            return None
        return self._base * factor


def _forget(times: deque[float], now: float) -> None:
    while times and times[0] < now - _WINDOW_S:
        times.popleft()
