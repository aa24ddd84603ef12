"""Circuit breaker: in an outage, rows wait without using up attempts, and one probe at a time checks for its end."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random

from llmbatch.core.errors import ComeBackLater
from llmbatch.engine.cancellation import Cancellation
from llmbatch.observe.events import Event, OutageBegan, OutageOver
from llmbatch.provider.failures import Action, Failure

_IN_A_ROW = 8
"""Consecutive failures without an answer that count as an outage: with even odds, one run in 256 looks like one."""
_REFUSED_FOR_S = 5.0
"""Rate-limit refusals come in bursts; they count as an outage only if no request has succeeded for this long."""
_FIRST_PROBE_S, _PROBE_EVERY_S, _LAST_PROBE_S = 1.0, 30.0, 0.1
"""Probes start quickly, since most outages are short, and settle at one in 30 s (with jitter)."""


class CircuitBreaker:
    """Watches for outages. During one, `passage` lets one request through at a time, at growing intervals."""

    def __init__(
        self,
        cancellation: Cancellation,
        *,
        longest_s: float,
        random: Random,
        clock: Callable[[], float],
        emit: Callable[[Event], None],
    ) -> None:
        """`longest_s`: an outage that lasts longer ends the run (`--max-wait`)."""
        self._cancellation = cancellation
        self._longest_s = longest_s
        self._random = random
        self._clock = clock
        self._emit = emit
        self._in_a_row = 0
        self._began_at = math.inf
        self._probe_after_s = _FIRST_PROBE_S
        self._probe_at = 0.0
        self._probing = False
        self._turn = asyncio.Lock()
        self._over = asyncio.Event()
        self._was_answered = False
        self.is_on = False
        self.kind = ""
        """The kind of failure of the latest outage."""

    @property
    def patience_s(self) -> float:
        """Seconds a row may wait before the next send: `longest_s`, or what is left of it if nothing was answered."""
        if self._was_answered or math.isinf(self._began_at):
            return self._longest_s
        return max(self._began_at + self._longest_s - self._clock(), 0.0)

    @property
    def longest_s(self) -> float:
        """Maximum seconds that the run waits for an endpoint (`--max-wait`)."""
        return self._longest_s

    @property
    def lasts_s(self) -> float:
        """Seconds since the first failure of the current outage; 0 if there is none."""
        return self._clock() - self._began_at if self.is_on else 0.0

    @property
    def next_probe_s(self) -> float:
        """Seconds until the next probe; 0 if one is in flight, or there is no outage."""
        return max(self._probe_at - self._clock(), 0.0) if self.is_on and not self._probing else 0.0

    def answered(self) -> bool:
        """The endpoint answered. True if that ends an outage."""
        lasted_s = self.lasts_s
        self._in_a_row, self._began_at, self._was_answered = 0, math.inf, True
        if not self.is_on:
            return False
        self.is_on = False
        self._over.set()
        self._emit(OutageOver(round(lasted_s, 1)))
        return True

    def failed(self, failure: Failure) -> None:
        """A request failed.

        Raises:
            ComeBackLater: the outage has lasted longer than the run's maximum wait.
        """
        if not failure.may_be_outage:
            return
        now = self._clock()
        self._in_a_row += 1
        self._began_at = min(self._began_at, now)
        if self.is_on:
            if not self._probing:
                return  # sent before the outage was known
            self._probing = False
            self._probe_after_s = min(self._probe_after_s * 2, _PROBE_EVERY_S)
        elif self._looks_like_one(failure, now):
            self._begin(failure)
        elif self._was_answered:
            return
        if now - self._began_at >= self._longest_s:
            raise ComeBackLater(
                f"no answer for {now - self._began_at:,.0f} s, longer than --max-wait {self._longest_s:,.0f} "
                f"({failure.kind})",
                hint="run the same command again later: finished rows are kept",
            )
        probe_at = now + self._probe_after_s * self._random.uniform(0.75, 1.25)
        self._probe_at = min(probe_at, self._began_at + self._longest_s + _LAST_PROBE_S)

    @asynccontextmanager
    async def passage(self) -> AsyncIterator[bool]:
        """Let a request pass: during an outage as the next probe, when that is due; at once when it is over.

        Yields whether it is a probe, whose outcome all others wait for.

        Raises:
            RunCancelledError: the run stopped meanwhile.
        """
        async with self._turn:
            if await self._is_the_next_probe():
                self._probing = True
                yield True
                return
        yield False

    async def _is_the_next_probe(self) -> bool:
        """Wait until a probe is due, or until none is needed."""
        while self.is_on and (wait_s := self._probe_at - self._clock()) > 0:
            await self._cancellation.sleep(wait_s, or_until=self._over)
        return self.is_on

    def _looks_like_one(self, failure: Failure, now: float) -> bool:
        if failure.action is Action.THROTTLE and now - self._began_at < _REFUSED_FOR_S:
            return False
        return failure.nobody_served or self._in_a_row >= _IN_A_ROW

    def _begin(self, failure: Failure) -> None:
        self.is_on = True
        self.kind = failure.kind
        self._over.clear()
        self._probe_after_s = _FIRST_PROBE_S
        self._emit(OutageBegan(failure.kind, failure.status, self._longest_s))
