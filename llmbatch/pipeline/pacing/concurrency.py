"""How many requests may be under way at once: a number of the user's, or the level that the endpoint keeps up with."""

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_START = 8
_MOST = 512
_CUT = 0.7
"""What a sign of congestion leaves (additive increase, multiplicative decrease; 0.7 to 0.9 are well-tried)."""
_SLOW = 3.0
"""Times the calmest typical latency from which on more at once only makes all wait longer."""
_SMOOTHING = 8
"""Answers that a typical latency spans: models answer unevenly, and one slow answer is no congestion."""


class Concurrency:
    """The limit, found by growing while answers come as fast as before and cutting at refusals and time-outs.

    Until the first sign of congestion it doubles with every round trip, from then on it grows by one. It grows only
    while at least half of it is in use, and is cut at most once in a round trip, since all requests of one trip
    meet the same congestion.
    """

    def __init__(self, fixed: int | None = None) -> None:
        self._fixed = fixed
        self._limit = float(fixed or _START)
        self._probing = True
        self._answers = 0
        self._typical_s = 0.0
        self._calmest_s = math.inf
        self._cut_at = -math.inf

    @property
    def limit(self) -> int:
        """Requests that may be under way now."""
        return int(self._limit)

    @property
    def most(self) -> int:
        """Requests that may ever be under way."""
        return self._fixed or _MOST

    def succeeded(self, in_flight: int, latency_s: float) -> None:
        """An answer came after so long, while so many were under way."""
        self._answers += 1
        self._typical_s += (latency_s - self._typical_s) / min(self._answers, _SMOOTHING)
        if self._answers >= _SMOOTHING:
            self._calmest_s = min(self._calmest_s, self._typical_s)
        if self._fixed is not None or in_flight * 2 < self._limit:
            return
        if self._typical_s > _SLOW * self._calmest_s:
            self._probing = False
            return
        self._limit = min(self._limit + (1.0 if self._probing else 1.0 / self._limit), _MOST)

    def restart(self) -> None:
        """Start out as at the beginning: after an outage, what was found before it says little."""
        self._limit = float(self._fixed or _START)
        self._probing = True

    def congested(self, now: float) -> None:
        """A request was refused for its rate, or was not answered in time, at `now` (seconds of any clock)."""
        self._probing = False
        if self._fixed is None and now - self._cut_at >= self._typical_s:
            self._cut_at = now
            self._limit = max(self._limit * _CUT, 1.0)


class Slots:
    """Places for requests under way, as many as the limit allows at the moment, given in the order of asking.

    A row that was asked before goes ahead of those that never were: else, where a limit keeps hundreds waiting, it
    would get its answer at the run's end, and what it has cost by then would be lost in a kill.
    """

    def __init__(self, concurrency: Concurrency) -> None:
        self._concurrency = concurrency
        self._taken = 0
        self._fresh: deque[asyncio.Future[None]] = deque()
        self._asked_before: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def place(self, *, asked_before: bool) -> AsyncIterator[None]:
        """Hold a place, waiting for one where there is none."""
        await self.acquire(asked_before=asked_before)
        try:
            yield
        finally:
            self.release()

    async def acquire(self, *, asked_before: bool) -> None:
        """Take a place; `release` gives it back."""
        ahead = self._asked_before or (self._fresh and not asked_before)
        if self._taken < self._concurrency.limit and not ahead:
            self._taken += 1
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        (self._asked_before if asked_before else self._fresh).append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.release()  # it was given in the same instant
            raise

    def release(self) -> None:
        """Give a place back."""
        self._taken -= 1
        while (waiting := self._asked_before or self._fresh) and self._taken < self._concurrency.limit:
            place = waiting.popleft()
            if not place.done():
                self._taken += 1
                place.set_result(None)
