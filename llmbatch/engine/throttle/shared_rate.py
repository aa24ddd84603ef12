"""One limit for many processes: each takes its place in a common schedule.

A request uses some time of its limit: a hundredth of a second if a hundred per second may be sent. A process takes an
interval of that time, a lease, from the common schedule, and uses it without further coordination. It takes as much as
it needs for a moment: a process with little to send leaves the rest to the others, and if one dies, only that moment is
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
"""Maximum length of a lease in the limit's time, unless one request takes more."""
_QUICK_S = 0.25
"""A lease that is used up sooner is followed by one for twice as many requests, any other by one for half as many."""
_ROUNDING_S = 1e-6
"""Tolerance for rounding in sums of floats."""
_PATIENCE_S, _AGAIN_S = 10.0, 30.0
"""How long a store may take to answer, and how long it is not used after a failure."""
BURST_S = 0.7
"""How far behind the schedule requests may catch up: endpoints' buckets hold at least a second's worth."""


def longest_queue_s(seconds: float) -> float:
    """The longest plausible queue of a schedule, given how much is taken at a time.

    A process with a much lower limit, for example by mistake, leaves a schedule that is taken for hours.
    """
    return max(60.0, 1024 * seconds)


@dataclass(frozen=True, slots=True)
class Taken:
    """The position of a lease in the schedule, in seconds of the schedule's own clock, which all processes use."""

    begins_at: float
    """At least `now - BURST_S`."""
    now: float


class RateShare(Protocol):
    """The store for the schedules of processes that share limits."""

    def take(self, limit: str, seconds: float) -> Taken:
        """Take `seconds` of a limit's time, the next free ones; blocks for milliseconds.

        Args:
            limit: the limit's name, which is the same in all processes that share it.
            seconds: of its time.

        Raises:
            StorageFailed: the schedule cannot be read or written.
        """

    def close(self) -> None:
        """Close it."""


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
        """Start without a lease.

        Args:
            share: where the schedule is.
            limit: its name.
            clock: seconds, of which only differences count.
            on_failure: called once with the error if the schedule cannot be used; until it can, this process applies
                the limit alone.
            off_loop: runs blocking calls.
        """
        self._share = share
        self._limit = limit
        self._clock = clock
        self._on_failure = on_failure
        self._off_loop = off_loop
        self._unusable_until = -math.inf
        self._has_failed = False
        self._next_at = self._ends_at = -math.inf
        """In the schedule's time, like everything in a lease."""
        self._ahead_s = 0.0
        """Offset between the schedule's clock and this process's own."""
        self._taken_at = -math.inf
        self._requests = 1
        self._owed_s = 0.0

    async def place(self, seconds: float) -> float:
        """Take a place for a request that uses `seconds` of the limit's time. Returns how long it has to wait."""
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
        if abs(taken.begins_at - self._ends_at) > _ROUNDING_S:  # otherwise the rest of the last lease can still be used
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
