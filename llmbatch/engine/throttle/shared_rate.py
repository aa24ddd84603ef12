"""One limit for many processes: each takes its place in a schedule that all of them keep together.

A request takes up some time of its limit: a hundredth of a second where a hundred a second may be sent. A process
takes a stretch of that time, a lease, out of the common schedule, and sends by it on its own. It takes as much as it
needs for a moment: a process with little to send leaves the rest to the others, and one that dies leaves that moment
unused.
"""

import asyncio
import hashlib
import math
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from llmbatch.core.errors import StorageFailed

_LONGEST_S = 0.25
"""Of the limit's time, what a lease has at most, unless one request takes more."""
_QUICK_S = 0.25
"""A lease that is used up sooner is followed by one for twice as many requests, another by one for half as many."""
_ROUNDING_S = 1e-6
"""What sums of floats may lose."""
_PATIENCE_S, _AGAIN_S = 10.0, 30.0
"""How long a store may take to answer, and how long it is left alone after it could not be used."""
BURST_S = 0.7
"""How far behind the schedule requests may catch up: endpoints let a second's worth gather at least."""


def longest_queue_s(seconds: float) -> float:
    """How far ahead a schedule is believed to be taken, where so much of it is asked for at a time.

    A process that kept to a much lower limit, by mistake say, leaves one that is taken for hours.
    """
    return max(60.0, 1024 * seconds)


@dataclass(frozen=True, slots=True)
class Taken:
    """Where a lease stands in the schedule, in seconds of the schedule's own clock, which all processes go by."""

    begins_at: float
    """At least `now - BURST_S`."""
    now: float


class RateShare(Protocol):
    """Where the processes that share limits keep their schedules."""

    def take(self, limit: str, seconds: float) -> Taken:
        """Take so many seconds of a limit's time, the next ones that are free; blocks for milliseconds.

        Args:
            limit: distinguishes it from others: the same in all processes that share it.
            seconds: of its time.

        Raises:
            StorageFailed: the schedule cannot be read or written.
        """

    def close(self) -> None:
        """Let go of it."""


OpenRateShare = Callable[[], RateShare]
"""Opens a rate share for one session."""


class SharedRate:
    """One process's share of a schedule. Used by one request at a time."""

    def __init__(
        self,
        share: RateShare,
        limit: str,
        *,
        clock: Callable[[], float],
        on_failure: Callable[[StorageFailed], None],
        off_loop: Callable[..., Coroutine[Any, Any, Any]] = asyncio.to_thread,
    ) -> None:
        """Nothing is taken yet.

        Args:
            share: where the schedule is.
            limit: its name.
            clock: seconds, of which only differences count.
            on_failure: called once with the error if the schedule cannot be used; until it can, this process keeps to
                the limit alone.
            off_loop: calls what blocks.
        """
        self._share = share
        self._limit = limit
        self._clock = clock
        self._on_failure = on_failure
        self._off_loop = off_loop
        self._unusable_until = -math.inf
        self._has_failed = False
        self._next_at = self._ends_at = -math.inf
        """In the schedule's time, as is all that a lease says."""
        self._ahead_s = 0.0
        """Of the schedule's clock, this process's own."""
        self._taken_at = -math.inf
        self._requests = 1
        self._owed_s = 0.0

    async def place(self, seconds: float) -> float:
        """Take a place for a request that takes so much of the limit's time. Returns how long it has to wait for it."""
        if self._clock() < self._unusable_until:
            return 0.0
        seconds = max(seconds + self._owed_s, 0.0)
        self._owed_s = 0.0
        now = self._clock() - self._ahead_s
        if self._next_at + seconds > self._ends_at + _ROUNDING_S or now > self._ends_at + BURST_S:
            if not await self._take(seconds):
                return 0.0
            now = self._clock() - self._ahead_s
        wait_s = max(self._next_at - now, 0.0)
        self._next_at += seconds
        return wait_s

    def correct(self, seconds: float) -> None:
        """A request took this much more of the limit's time than estimated, or less if negative."""
        self._owed_s += seconds

    async def _take(self, seconds: float) -> bool:
        is_quick = self._clock() - self._taken_at < _QUICK_S
        wanted = self._requests * 2 if is_quick else self._requests // 2
        self._requests = max(min(wanted, int(_LONGEST_S / seconds) if seconds else wanted), 1)
        wanted_s = seconds * self._requests
        try:
            taken = await asyncio.wait_for(self._off_loop(self._share.take, self._limit, wanted_s), _PATIENCE_S)
        except TimeoutError:
            self._failed(StorageFailed(f"the rate store does not answer within {_PATIENCE_S:g} s"))
            return False
        except StorageFailed as error:
            self._failed(error)
            return False
        self._taken_at = self._clock()
        self._ahead_s = self._taken_at - taken.now
        if abs(taken.begins_at - self._ends_at) > _ROUNDING_S:  # else what is left of the last lease counts, too
            self._next_at = taken.begins_at
        self._ends_at = taken.begins_at + wanted_s
        return True

    def _failed(self, error: StorageFailed) -> None:
        self._unusable_until = self._clock() + _AGAIN_S
        if not self._has_failed:
            self._has_failed = True
            self._on_failure(error)


def limit_name(base_url: str, api_key: str, model: str) -> str:
    """A limit's name, shared by processes: a digest of endpoint, account and model."""
    parts = f"{base_url}\0{api_key}\0{model}"
    return hashlib.blake2b(parts.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
