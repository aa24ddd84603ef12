"""How many requests are under way, and when nobody may send."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random


class GivenUpError(Exception):
    """The run is stopping: what has not left yet stays unsent."""


class Stop:
    """The run's one brake. The first reason counts."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._hurry = asyncio.Event()
        self.reason: Exception | None = None

    @property
    def is_set(self) -> bool:
        """Whether the run is stopping."""
        return self._event.is_set()

    def set(self, reason: Exception) -> None:
        """Stop sending, for this reason: an LLMBatchError, or what only a bug can raise."""
        if self.reason is None:
            self.reason = reason
        self._event.set()

    def hurry(self) -> None:
        """Give up what is under way as well."""
        self._hurry.set()

    @property
    def is_hurried(self) -> bool:
        """Whether even the requests under way are given up."""
        return self._hurry.is_set()

    async def wait(self) -> None:
        """Until the run stops."""
        await self._event.wait()

    async def wait_hurried(self) -> None:
        """Until the requests under way are given up."""
        await self._hurry.wait()

    async def sleep(self, seconds: float) -> None:
        """Sleep, or raise GivenUpError as soon as the run stops."""
        try:
            await asyncio.wait_for(self._event.wait(), seconds)
        except TimeoutError:
            return
        raise GivenUpError


class Pace:
    """Slots for requests under way, and the wait that a server asked everyone to keep."""

    def __init__(self, concurrency: int, stop: Stop, *, random: Random, clock: Callable[[], float]) -> None:
        self._slots = asyncio.Semaphore(concurrency)
        self._stop = stop
        self._random = random
        self._clock = clock
        self._held_until = 0.0
        self.in_flight = 0

    @property
    def held_s(self) -> float:
        """Seconds until requests may leave again; 0 where they may now."""
        return max(self._held_until - self._clock(), 0.0)

    def hold(self, seconds: float) -> None:
        """Nobody sends for so long: a server's wait is a floor for all rows, not only for the one that met it."""
        self._held_until = max(self._held_until, self._clock() + seconds)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """A place among the requests under way, given when sending is allowed.

        Raises:
            GivenUpError: the run stopped before the request left.
        """
        async with self._slots:
            while (held_s := self.held_s) > 0:
                # Spread the return, or all slots would hit the server in the same instant.
                await self._stop.sleep(held_s + self._random.uniform(0, min(held_s, 1.0) / 10))
            if self._stop.is_set:
                raise GivenUpError
            self.in_flight += 1
            try:
                yield
            finally:
                self.in_flight -= 1
