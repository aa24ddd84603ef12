"""How many requests may be in flight: the user's number, or the level that the endpoint can sustain."""

import asyncio
import math
from collections import deque

from llmbatch.core import defaults

_START = 8
_MOST_AT_FIRST = 48
_MOST = 512
_FEWEST_ANSWERS = 4
"""Answers at a level before it is judged; models answer unevenly."""
_WORTH = 0.5
"""Share of the throughput gain that a step up would bring on an idle endpoint: with less, requests only wait longer."""
_ROOM = 1.2
"""Factor for the level that the throughput fills: one request more than is served keeps a server busy."""
_STEP = 1.5
"""Factor for the next level to try after doubling has ended."""
_CUT, _HALVED = 0.7, 0.5
"""Factors after refusals and after time-outs (multiplicative decrease; a time-out shows congestion later)."""
_REST, _LONGEST_REST = 16, 256
"""Answers per request of the level until the next step up is tried: the first time, and at most."""
_START_SHARE, _QUICK_SHARE, _DOUBLE_SHARE, _SLOW_SHARE = 0.4, 0.1, 0.4, 0.5
"""Shares of a request's time-out: how long `_START` requests may take on an endpoint that serves one at a time; below
which latency answers are quick, so that a step too far does no harm; up to which latency the level is doubled; and
above which latency the level is cut although nothing has failed yet."""


class Concurrency:
    """The concurrency level, found by measuring the gain of each step up.

    The first answer, alone, shows how long one takes. Then the level doubles as long as answers hardly slow down, so
    that twice as many requests give twice as many rows. If a step brings less than half of that, requests only wait in
    the endpoint's queue: the level returns to what the throughput fills, and a smaller step is tried from time to time.
    By Little's law, the rows per second at a level are its requests divided by their mean latency, so only latencies
    are needed, and they show a queue long before requests time out in it.
    """

    def __init__(self, fixed: int | None = None, *, timeout_s: float = defaults.TIMEOUT_S) -> None:
        self._fixed = fixed
        self._timeout_s = timeout_s
        self._limit = float(fixed or _START)
        self._most = fixed or _MOST
        self._since = -math.inf
        self._latencies_s: list[float] = []
        self._typical_s = 0.0
        self._cut_at = -math.inf
        self._kept_up = self._limit
        """The level at the latest answer."""
        self._before: tuple[float, float] | None = None
        """The level below, and its rows per second."""
        self._is_doubling = True
        self._is_confirming = False
        self._resting = 0
        self._rest = _REST

    @property
    def limit(self) -> int:
        """Requests that may be in flight now."""
        return int(self._limit)

    @property
    def most(self) -> int:
        """Requests that may ever be in flight."""
        return self._most

    @property
    def is_known(self) -> bool:
        """Whether there has been an answer, after which the level is found by measuring."""
        return self._fixed is not None or self._before is not None

    def succeeded(self, in_flight: int, latency_s: float, now: float, *, per_s: float | None = None) -> None:
        """Record an answer.

        Args:
            in_flight: requests that were in flight, including this one.
            latency_s: how long it took.
            now: when it arrived, in seconds of any clock.
            per_s: the stated rate of the endpoint, for the first answer; None if it states none.
        """
        share = 1 / max(min(self._limit, _START), 1)
        self._typical_s = self._typical_s + (latency_s - self._typical_s) * share if self._typical_s else latency_s
        if self._fixed is not None:
            return
        self._kept_up = self._limit
        if self._before is None:
            self._begin(latency_s, now, per_s)
        elif self._typical_s > _SLOW_SHARE * self._timeout_s and in_flight > 1:
            self._cut(_CUT, now)
        elif now - latency_s >= self._since and in_flight * 2 >= self._limit:
            self._measure(latency_s, now)

    def congested(self, now: float) -> None:
        """Record that a request was refused because there were too many."""
        self._cut(_CUT, now)

    def timed_out(self, now: float) -> None:
        """Record that a request was not answered in time."""
        self._cut(_HALVED, now)

    def bound(self, now: float) -> None:
        """Use fewer from now on, even if the user set a fixed number: this machine lacks resources for this many."""
        if now - self._cut_at >= self._typical_s:
            self._cut_at = now
            self._most = max(int(self._limit * _CUT), 1)
            self._settle(self._most, now)

    def resume(self, now: float) -> None:
        """After an outage, restart at half of the previously sustained level."""
        if self._fixed is None:
            self._set(self._kept_up * _HALVED, now)
            self._before, self._is_doubling, self._resting = (self._limit, 0.0), True, 0

    def _begin(self, latency_s: float, now: float, per_s: float | None) -> None:
        """Start after the first answer: it was alone, and many concurrent requests may take that many times as long.

        An endpoint that states a rate can serve as many as that rate keeps in flight.
        """
        self._before = (1.0, 1 / max(latency_s, 1e-9))
        start = _START if per_s is None else min(max(per_s * latency_s * _ROOM, _START), _MOST_AT_FIRST)
        self._set(min(_START_SHARE * self._timeout_s / max(latency_s, 1e-9), start), now)

    def _measure(self, latency_s: float, now: float) -> None:
        if self._resting > 0:
            self._resting -= 1
            return
        self._latencies_s.append(latency_s)
        if len(self._latencies_s) >= max(self._limit * self._answers_each(), _FEWEST_ANSWERS):
            self._judge(sum(self._latencies_s) / len(self._latencies_s), now)

    def _answers_each(self) -> float:
        """Answers per request of the level before it is judged: fewer if too many in flight would do no harm.

        This does not apply to the first level of eight requests: they meet an empty queue, so the first half of their
        answers would show only half of the queue.
        """
        if not self._is_doubling:
            return 2.0
        is_quick = self._limit > _START and self._typical_s < _QUICK_SHARE * self._timeout_s
        return 0.5 if is_quick else 1.0

    def _judge(self, mean_s: float, now: float) -> None:
        level, rows_per_s = self._limit, self._limit / max(mean_s, 1e-9)
        below, before_per_s = self._before or (level, rows_per_s)
        if level <= below:  # measured again, after a rest or a cut
            self._step_up(level, rows_per_s, mean_s, now)
            return
        gain = rows_per_s / before_per_s
        if gain >= 1 + _WORTH * (level / below - 1):
            self._rest = _REST
            self._step_up(level, rows_per_s, mean_s, now)
        elif self._is_doubling and not self._is_confirming:
            self._is_confirming = True
            self._latencies_s.clear()
        else:
            fills = math.ceil(below * gain * _ROOM) if self._is_doubling else below
            self._settle(min(max(fills, below), level), now)

    def _step_up(self, level: float, rows_per_s: float, mean_s: float, now: float) -> None:
        self._before = (level, rows_per_s)
        if self._is_doubling and mean_s <= _DOUBLE_SHARE * self._timeout_s:
            self._set(level * 2, now)
        else:
            self._set(max(level * _STEP, level + 1), now)

    def _settle(self, level: float, now: float) -> None:
        self._is_doubling = False
        self._set(level, now)
        self._before = (self._limit, 0.0)
        self._resting = int(self._rest * self._limit)
        self._rest = min(self._rest * 2, _LONGEST_REST)

    def _cut(self, share: float, now: float) -> None:
        """Cut the level, at most once per round trip, since all requests of one trip meet the same congestion."""
        if self._fixed is None and now - self._cut_at >= self._typical_s:
            self._cut_at = now
            self._settle(self._limit * share, now)

    def _set(self, level: float, now: float) -> None:
        self._limit = min(max(level, 1.0), self._most)
        self._since = now
        self._is_confirming = False
        self._latencies_s.clear()


class Slots:
    """Slots for requests in flight, as many as the limit currently allows, granted in order.

    A row sent before goes ahead of those never sent; otherwise, if a limit keeps hundreds waiting, it would get its
    answer at the end of the run, and its cost so far would be lost in a kill.
    """

    def __init__(self, concurrency: Concurrency) -> None:
        self._concurrency = concurrency
        self._taken = 0
        self._fresh: deque[asyncio.Future[None]] = deque()
        self._asked_before: deque[asyncio.Future[None]] = deque()

    async def acquire(self, *, asked_before: bool) -> None:
        """Take a slot, waiting if there is none free; `release` gives it back."""
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
                self.release()  # granted at the same moment
            raise

    def release(self) -> None:
        """Give a slot back."""
        self._taken -= 1
        while (waiting := self._asked_before or self._fresh) and self._taken < self._concurrency.limit:
            place = waiting.popleft()
            if not place.done():
                self._taken += 1
                place.set_result(None)
