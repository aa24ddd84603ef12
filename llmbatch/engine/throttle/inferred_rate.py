"""A rate limit not stated by the endpoint, inferred from refusals that correlate with the rate."""

import math
from collections import deque

from llmbatch.engine.throttle.refusals import is_over

_WINDOW_S = 1.0
"""Also what a bucket holds, mostly: at first up to twice the limit passes in a second."""
_FEWEST = 3
"""Of each kind in the window: a rate cannot be inferred from fewer."""
_FIRST_SHARE, _SHARE = 0.13, 0.03
"""Refusals in the window that mean a limit: at first more than an endpoint refuses at random, later any sign of it."""
_FREED, _FREED_LATER = 1.6, 1.05
"""How much the rate may have grown since a cut, and be under the limit still: after the first, and later."""
_SAME_SHARE = 0.5
"""Of the share that was refused before a cut: who refuses as much after it does not go by the rate."""
_CUTS = (0.5, 0.6, 0.9)
"""What is kept of the rate that passed: the first time a full bucket may have helped, the second time what gathered in
it since; then nine tenths."""
_FIRST_GROWTH_PER_S, _GROWTH_PER_S = 0.14, 0.01
"""Of the rate: quickly until the second cut shows where the limit is, then with next to no refusals."""
_FORGOTTEN_AT = 16.0
"""Times the rate after the last cut at which the limit is taken to be gone."""


class InferredRateLimit:
    """Requests a second that pass, after many in one second did not; grows while none is refused.

    Each cut is a test too: where as many are refused after it as before, the endpoint refuses whatever the rate is,
    and the limit is taken back.
    """

    def __init__(self) -> None:
        self._sent: deque[float] = deque()
        self._passed: deque[float] = deque()
        self._refused: deque[float] = deque()
        self._base: float | None = None
        self._cut_at = 0.0
        self._cut_share = 0.0
        self._cuts = 0
        self._since = [0, 0]
        """Passed and refused after the last cut had its effect."""
        self._at_random = 0.0
        """The observed share of random refusals."""

    @property
    def is_on(self) -> bool:
        """Whether a limit has been inferred."""
        return self._base is not None

    def sent(self, now: float) -> None:
        """A request leaves. Refusals come sooner than answers, so the share of them is of what was sent."""
        self._sent.append(now)
        _forget(self._sent, now)

    def answered(self, now: float) -> None:
        """A request passed."""
        self._passed.append(now)
        _forget(self._passed, now)
        self._note(now, refused=False)

    def refused(self, now: float) -> None:
        """A request was refused for its rate."""
        self._refused.append(now)
        _forget(self._refused, now)
        _forget(self._passed, now)
        _forget(self._sent, now)
        self._note(now, refused=True)
        if self._refuses_as_before(now):
            self._base, self._cuts = None, 0
            return
        if self._cuts and now - self._cut_at < _WINDOW_S:
            return  # sent before the last cut could take effect
        passed, refused = len(self._passed), len(self._refused)
        judged = max(passed + refused, len(self._sent))
        share = _SHARE if self._cuts else max(_FIRST_SHARE, 2 * self._at_random)
        if passed < _FEWEST or not is_over(refused, share * judged):
            return
        self._base = passed / _WINDOW_S * _CUTS[min(self._cuts, len(_CUTS) - 1)]
        self._cut_at, self._cut_share, self._since = now, refused / judged, [0, 0]
        self._cuts += 1

    def per_s(self, now: float) -> float | None:
        """The rate to keep to, or None if no limit is inferred."""
        if self._base is None:
            return None
        factor = self._growth(now)
        if factor > _FORGOTTEN_AT:
            self._base, self._cuts = None, 0
            return None
        return self._base * factor

    def _growth(self, now: float) -> float:
        per_s = _FIRST_GROWTH_PER_S if self._cuts == 1 else _GROWTH_PER_S
        return math.exp((now - self._cut_at) * per_s)

    def _note(self, now: float, *, refused: bool) -> None:
        if self._cuts and now - self._cut_at >= _WINDOW_S:
            self._since[refused] += 1

    def _refuses_as_before(self, now: float) -> bool:
        """Whether the rate is still well under what it was before the cut, and just as many are refused."""
        passed, refused = self._since
        if not self._cuts or refused < _FEWEST or self._growth(now) > (_FREED if self._cuts == 1 else _FREED_LATER):
            return False
        share = refused / (passed + refused)
        if share < _SAME_SHARE * self._cut_share:
            return False
        self._at_random = share
        return True


def _forget(times: deque[float], now: float) -> None:
    while times and times[0] < now - _WINDOW_S:
        times.popleft()
