"""When a request may leave: a slot among those under way, no wait that a server asked for, and the rates kept."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from random import Random

from llmbatch.caller.limits import stated_limits
from llmbatch.pipeline.concurrency import Concurrency, Slots
from llmbatch.pipeline.rates import Rates
from llmbatch.pipeline.stop import GivenUpError, Stop

_LEARN_FIRST, _LEARN_EVERY = 16, 32


class Pace:
    """What all requests of a run share on their way out."""

    def __init__(
        self, concurrency: Concurrency, rates: Rates, stop: Stop, *, random: Random, clock: Callable[[], float]
    ) -> None:
        self._concurrency = concurrency
        self._slots = Slots(concurrency)
        self._rates = rates
        self._stop = stop
        self._random = random
        self._clock = clock
        self._held_until = 0.0
        self._answers = 0
        self.in_flight = 0

    @property
    def held_s(self) -> float:
        """Seconds until requests may leave again; 0 where they may now."""
        return max(self._held_until - self._clock(), 0.0)

    @property
    def limit(self) -> int:
        """Requests that may be under way now."""
        return self._concurrency.limit

    def hold(self, seconds: float) -> None:
        """Nobody sends for so long: a server's wait is a floor for all rows, not only for the one that met it."""
        self._held_until = max(self._held_until, self._clock() + seconds)

    def learn(self, headers: Mapping[str, str]) -> None:
        """Take over the limits that an answer states; after the first few answers, only now and then."""
        self._answers += 1
        if self._answers <= _LEARN_FIRST or self._answers % _LEARN_EVERY == 0:
            self._rates.learn(stated_limits(headers))

    def congested(self) -> None:
        """Fewer at once: the endpoint refuses, or does not answer in time."""
        self._concurrency.congested(self._clock())

    def succeeded(self, latency_s: float) -> None:
        """The endpoint keeps up."""
        self._concurrency.succeeded(self.in_flight, latency_s)

    @asynccontextmanager
    async def slot(self, tokens: float) -> AsyncIterator[None]:
        """A place among the requests under way, given when one of so many tokens may leave.

        Raises:
            GivenUpError: the run stopped before the request left.
        """
        await self._slots.acquire()
        try:
            await self._until_allowed(tokens)
            self.in_flight += 1
            try:
                yield
            finally:
                self.in_flight -= 1
        finally:
            self._slots.release()

    async def _until_allowed(self, tokens: float) -> None:
        while (held_s := self.held_s) > 0:
            # Spread the return, or all slots would hit the server in the same instant.
            await self._stop.sleep(held_s + self._random.uniform(0, min(held_s, 1.0) / 10))
        if (wait_s := self._rates.reserve(self._clock(), tokens)) > 0:
            await self._stop.sleep(wait_s)
        if self._stop.is_set:
            raise GivenUpError
