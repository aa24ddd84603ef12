"""Whether the reset of a limit that only refusals state restores all of it.

`limit 60, remaining 0, reset 1s` may be a limit per second, the last second of a minute's window, or the second until
one more of 60 requests a minute may pass. Answers that state the limit distinguish these cases. If only refusals state
it, what passes after the reset does: about the whole limit, or next to nothing.
"""

import math

from llmbatch.provider.limits import StatedLimit

_LONGEST_S = 10.0
"""A later reset is taken for that of a limit per minute: all rows would wait for it because of one refusal."""
_SHARE = 0.5
"""Share of the limit that must pass between the resets of two refusals."""
_GRACE_S = 1.0
"""How long after a reset refusals of requests that were sent before it may arrive."""


class Restoration:
    """Assumed from the first refusal that states an early reset until one disproves it."""

    def __init__(self) -> None:
        self._is_excluded = False
        self._at = math.inf
        """When the limit was, or will be, restored; infinite without a refusal."""
        self._passed = 0
        """Requests since the refusal that stated it."""

    @property
    def is_assumed(self) -> bool:
        """Whether the whole limit is taken to be there after the reset."""
        return not self._is_excluded and math.isfinite(self._at)

    def wait_s(self, now: float) -> float:
        """Seconds until the reset."""
        return max(self._at - now, 0.0)

    def exclude(self) -> None:
        """Answers state the limit too: their readings count."""
        self._is_excluded = True

    def passed(self) -> None:
        """Record that a request passed."""
        self._passed += 1

    def refused(self, stated: StatedLimit, now: float) -> None:
        """Record a refusal and what it states."""
        if stated.kind != "requests" or stated.window_s is not None or stated.remaining != 0 or stated.reset_s is None:
            return
        if now < self._at + _GRACE_S and self.is_assumed:
            return
        if stated.reset_s > _LONGEST_S or (self.is_assumed and self._passed < _SHARE * stated.limit):
            self._is_excluded = True
            return
        self._at, self._passed = now + stated.reset_s, 0
