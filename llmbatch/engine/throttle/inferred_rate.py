"""A rate limit not stated by the endpoint, inferred from refusals that correlate with the rate."""

import math
from collections import deque

from llmbatch.engine.throttle.refusals import is_over

_WINDOW_S = 1.0
"""Also the usual size of a bucket: at first up to twice the limit passes in a second."""
_FEWEST = 3
"""Minimum of each kind in the window: a rate cannot be inferred from fewer."""
_FIRST_SHARE, _SHARE = 0.13, 0.03
"""Refusals in the window that indicate a limit: at first more than an endpoint refuses at random, later any sign."""
_FREED, _FREED_LATER = 1.6, 1.05
"""How much the rate may have grown since a cut and still be below the limit: after the first cut, and later."""
_SAME_SHARE = 0.5
"""Share of the refusals before a cut: an endpoint that still refuses as many after it does not refuse by rate."""
_CUTS = (0.5, 0.6, 0.9)
"""Shares of the passed rate to which the limit is cut: at first, a full bucket may have let more pass; the second time,
what the bucket had gathered since then; later cuts keep nine tenths."""
_FIRST_GROWTH_PER_S, _GROWTH_PER_S = 0.14, 0.01
"""Growth of the rate: fast until the second cut shows where the limit is, then with hardly any refusals."""
_FORGOTTEN_AT = 16.0
"""Factor of the rate after the last cut at which the limit is assumed to be gone."""


class InferredRateLimit:
    """The rate, in requests per second, that passes after many requests in one second were refused.

    It grows while none is refused.

    Each cut is also a test: if as many are refused after it as before, the endpoint refuses whatever the rate is, and
    the limit is withdrawn.
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
        """Record a request. Refusals arrive sooner than answers, so their share is of the requests sent."""
        self._sent.append(now)
        _forget(self._sent, now)

    def answered(self, now: float) -> None:
        """Record that a request passed."""
        self._passed.append(now)
        _forget(self._passed, now)
        self._note(now, refused=False)

    def refused(self, now: float) -> None:
        """Record a rate-limit refusal."""
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
        """Whether the rate is still well below what it was before the cut, but just as many are refused."""
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
