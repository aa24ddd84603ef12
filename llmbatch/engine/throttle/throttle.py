"""Decides when a request may be sent: no outage, a free slot, no server-requested wait, rates within limits."""

import math
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, nullcontext

from llmbatch.core.errors import ComeBackLater, StorageFailed
from llmbatch.engine.cancellation import Cancellation, RunCancelledError
from llmbatch.engine.throttle.circuit_breaker import CircuitBreaker
from llmbatch.engine.throttle.concurrency import Concurrency, Slots
from llmbatch.engine.throttle.rates import Rates
from llmbatch.engine.throttle.refusals import Refusals
from llmbatch.engine.throttle.shared_rate import SharedRate
from llmbatch.engine.throttle.turn import Turn
from llmbatch.observe.events import Event, RateLimited
from llmbatch.provider.dialect import CHAT_COMPLETIONS, Dialect
from llmbatch.provider.failures import Action, Failure
from llmbatch.provider.limits import RateLimits

_FREE_PASSAGE = nullcontext(False)
"""For when there is no outage."""
_LEARN_FIRST, _LEARN_EVERY = 16, 32
_LACKING_S = 120.0
"""How long this machine may fail to send any request: ports become free after a minute or two."""
_LIMITED_S = 1.0
"""How long after a wait a limit still counts as limiting the run."""
_REPORTED_S = 2.0
"""How long a limit must hold requests back before that is reported, including the wait that is about to begin."""


class Throttle:
    """The shared gate for all of a run's requests, which learns from their outcomes."""

    def __init__(
        self,
        concurrency: Concurrency,
        rates: Rates,
        circuit_breaker: CircuitBreaker,
        cancellation: Cancellation,
        *,
        clock: Callable[[], float],
        emit: Callable[[Event], None],
        dialect: Dialect = CHAT_COMPLETIONS,
        shared: SharedRate | None = None,
    ) -> None:
        """`shared`: this process's part in limits shared with other processes; None if it is alone."""
        self._concurrency = concurrency
        self._slots = Slots(concurrency)
        self._rates = rates
        self._refusals = Refusals()
        self._circuit_breaker = circuit_breaker
        self._cancellation = cancellation
        self._clock = clock
        self._emit = emit
        self._dialect = dialect
        self._shared = shared
        self._turn = Turn()
        self._held_until = 0.0
        self._limited_by, self._limited_at, self._limited_since = "", -math.inf, 0.0
        self._reported = set[str]()
        self._answers = 0
        self._lacking_since = math.inf
        self.in_flight = 0

    @property
    def held_s(self) -> float:
        """Seconds until requests may be sent again after a server's request to wait; 0 if they may now."""
        return max(self._held_until - self._clock(), 0.0)

    @property
    def outage_s(self) -> float:
        """Seconds that an outage has lasted; 0 if there is none."""
        return self._circuit_breaker.lasts_s

    @property
    def outage_kind(self) -> str:
        """The failure kind of the current outage; empty if there is none."""
        return self._circuit_breaker.kind if self._circuit_breaker.is_on else ""

    @property
    def next_probe_s(self) -> float:
        """Seconds until an outage's next probe."""
        return self._circuit_breaker.next_probe_s

    @property
    def patience_s(self) -> float:
        """Seconds for which a row may wait before it is sent again."""
        return self._circuit_breaker.patience_s

    @property
    def limits(self) -> RateLimits:
        """The rates in effect."""
        return self._rates.limits(self._clock())

    @property
    def limited_by(self) -> str:
        """The rate limit that made the latest requests wait, in words; empty if none did."""
        return self._limited_by if self._clock() - self._limited_at < _LIMITED_S else ""

    @property
    def limit(self) -> int:
        """Requests that may be in flight now."""
        return self._concurrency.limit

    def hold(self, seconds: float) -> None:
        """No request is sent for that long: a server's wait applies to all rows, unless it refuses rows at random."""
        if self._refusals.are_random(self.in_flight) and not self._rates.are_inferred:
            return
        self._held_until = max(self._held_until, self._clock() + seconds)

    def learn(self, headers: Mapping[str, str]) -> None:
        """Process the limits that an answer states; after the first few answers, only occasionally."""
        self._answers += 1
        if self._answers <= _LEARN_FIRST or self._answers % _LEARN_EVERY == 0 or self._rates.wants_every_answer:
            self._rates.learn(self._dialect.limits(headers), self._clock())

    def answered(self, latency_s: float) -> bool:
        """Record an answer. True if it ends an outage, after which requests start out as at the beginning."""
        now = self._clock()
        self._lacking_since = math.inf
        is_back = self._circuit_breaker.answered()
        if is_back:
            self._concurrency.resume(now)
        self._refusals.passed()
        per_s = None if self._concurrency.is_known else self._rates.limits(now).requests_per_s
        self._concurrency.succeeded(self.in_flight, latency_s, now, per_s=per_s)
        self._rates.answered(now)
        return is_back

    def took(self, *, estimated: float, tokens: float) -> None:
        """Record how many tokens a request was estimated to take, and took by the endpoint's count."""
        self._rates.correct(tokens - estimated)
        if self._shared is not None:
            self._shared.correct(self._rates.seconds(tokens) - self._rates.seconds(estimated))

    def failed(self, failure: Failure) -> None:
        """Record a failure, which may mean fewer requests in flight, a wait for all rows, or an outage.

        Raises:
            ComeBackLater: an outage has lasted too long, or a limit is used up for too long.
            StorageFailed: this machine has been unable to send any request for too long.
        """
        now = self._clock()
        if failure.is_of_this_machine:
            self._cannot_leave(failure, now)
            return
        if failure.action is Action.THROTTLE:
            self._refusals.refused()
            self._rates.refused(now)
            self._bear_with_limit(now)
        if failure.kind == "timeout":
            self._concurrency.timed_out(now)
        elif failure.slow_down and not (failure.action is Action.THROTTLE and self._refusals.are_few(self.in_flight)):
            self._concurrency.congested(now)
        if failure.wait_s is not None and failure.action in (Action.THROTTLE, Action.RETRY):
            self.hold(failure.wait_s)
        self._circuit_breaker.failed(failure)

    def _cannot_leave(self, failure: Failure, now: float) -> None:
        self._concurrency.bound(now)
        self._lacking_since = min(self._lacking_since, now)
        lasts_s = now - self._lacking_since
        if lasts_s >= min(_LACKING_S, self._circuit_breaker.patience_s):
            raise StorageFailed(f"no request could be sent for {lasts_s:,.0f} s: {failure.message}", hint=failure.hint)

    def _bear_with_limit(self, now: float) -> None:
        used_up_s, longest_s = self._rates.used_up_s(now), self._circuit_breaker.longest_s
        if used_up_s > longest_s:
            raise ComeBackLater(
                f"{self._rates.limited_by(now, 1).words}: used up for {used_up_s:,.0f} s more, "
                f"longer than --max-wait {longest_s:,.0f}",
                hint="run the same command again later: finished rows are kept",
            )

    @asynccontextmanager
    async def slot(self, tokens: float, *, asked_before: bool) -> AsyncIterator[None]:
        """A slot for a request of this many tokens, granted when it may be sent.

        A row that was sent before comes first.

        Raises:
            RunCancelledError: the run stopped before the request was sent.
        """
        while True:
            async with self._circuit_breaker.passage() if self._circuit_breaker.is_on else _FREE_PASSAGE as is_probe:
                await self._slots.acquire(asked_before=asked_before)
                try:
                    await self._until_allowed(tokens)
                    if self._circuit_breaker.is_on and not is_probe:
                        continue  # it began while this request waited
                    self.in_flight += 1
                    try:
                        yield
                    finally:
                        self.in_flight -= 1
                        self._rates.ended(tokens)
                    return
                finally:
                    self._slots.release()

    async def _until_allowed(self, tokens: float) -> None:
        if self._is_allowed_now(tokens):
            self._leave(tokens)
            return
        async with self._turn:  # one by one, so that limits learnt meanwhile apply to all that wait
            await self._until_due(tokens)
            if self._shared is not None and (seconds := self._rates.seconds(tokens)) > 0:
                await self._until_shared_due(self._shared, seconds, tokens)
            self._leave(tokens)

    def _is_allowed_now(self, tokens: float) -> bool:
        """Whether there is nothing to wait for. This is usual, and saves taking the turn only to give it back."""
        if self._shared is not None or self._turn.is_held:
            return False
        now = self._clock()
        return self._held_until <= now and self._rates.wait_s(now, tokens) <= 0

    def _leave(self, tokens: float) -> None:
        if self._cancellation.is_set:
            raise RunCancelledError
        self._rates.take(self._clock(), tokens)

    async def _until_due(self, tokens: float) -> None:
        waiting_since = self._clock()
        while (wait_s := max(self.held_s, rate_s := self._rate_s(tokens, waiting_since))) > 0:
            if rate_s > 0:
                self._note_limit(rate_s, tokens)
            await self._cancellation.sleep(wait_s)

    async def _until_shared_due(self, shared: SharedRate, seconds: float, tokens: float) -> None:
        wait_s = min(await shared.place(seconds), self._circuit_breaker.longest_s)
        if wait_s > 0:
            self._note_limit(wait_s, tokens)
            await self._cancellation.sleep(wait_s)
        if self.held_s > 0:
            await self._until_due(tokens)

    def _rate_s(self, tokens: float, waiting_since: float) -> float:
        """Seconds until the rates allow the next request, at most `--max-wait` unless the user set the limit.

        A request sent after that wait shows whether the endpoint allows it.
        """
        now = self._clock()
        longest_s = math.inf if self._rates.are_the_users else self._circuit_breaker.longest_s
        return min(self._rates.wait_s(now, tokens), waiting_since + longest_s - now)

    def _note_limit(self, wait_s: float, tokens: float) -> None:
        """Record which limit makes the next request wait, and report it once if that continues."""
        now = self._clock()
        if now - self._limited_at > _LIMITED_S:
            self._limited_since = now
        self._limited_at = now + wait_s
        limit = self._rates.limited_by(now, tokens)
        self._limited_by = limit.words
        if self._limited_at - self._limited_since >= _REPORTED_S and limit.which not in self._reported:
            self._reported.add(limit.which)
            self._emit(RateLimited(limit.words))
