"""Retries a request as long as that can help: what to do about each failure, and how long to wait."""

import time
from collections.abc import Awaitable, Callable
from random import Random
from typing import TypeVar

from llmbatch.core.errors import LLMBatchError
from llmbatch.core.ledger_line import Retry
from llmbatch.engine.cancellation import Cancellation, RunCancelledError
from llmbatch.engine.failure_policy import FailurePolicy
from llmbatch.engine.row_state import RowState
from llmbatch.engine.sinks import Sends
from llmbatch.engine.throttle.retry_budget import RetryBudget
from llmbatch.provider.failures import Action, Failure, RequestFailedError
from llmbatch.provider.retry import Attempts, RetryPolicy, retrying
from llmbatch.provider.transport import judge_exception

T = TypeVar("T")
Ask = Callable[[RowState, float], Awaitable[T]]
"""Sends a request once and parses its answer; receives what the retry budget charged for it."""


class RequestLoop:
    """Retries requests under one policy."""

    def __init__(
        self,
        *,
        sends: Sends,
        failure_policy: FailurePolicy,
        retry_budget: RetryBudget,
        cancellation: Cancellation,
        policy: RetryPolicy,
        random: Random,
    ) -> None:
        self._sends = sends
        self._failure_policy = failure_policy
        self._retry_budget = retry_budget
        self._cancellation = cancellation
        self._policy = policy
        self._random = random
        self.retries = 0
        """Attempts that were repeated."""
        self.waiting = 0
        """Requests that wait for their next attempt; they hold no slot."""
        self.latest_kind = ""
        """The kind of the latest retried failure; empty if there was none."""
        self._due: list[float] = []

    @property
    def next_try_s(self) -> float:
        """Seconds until the first waiting request is sent again; 0 if none waits."""
        return max(min(self._due) - time.monotonic(), 0.0) if self._due else 0.0

    async def until_answered(self, state: RowState, ask: Ask[T]) -> T:
        """Repeat until there is an answer, and return it.

        Raises:
            RequestFailedError: the last attempt's failure.
            RunCancelledError: the run stopped first.
            LLMBatchError: all requests would fail the same way.
        """
        try:
            return await self._attempt(state, ask)
        except RequestFailedError as failed:
            return await self._again(state, ask, failed)

    def write_down_end(self, state: RowState) -> None:
        """Log the outcome of a row's last request if its ledger line comes later, in case of a kill in between."""
        if state.last_sends:
            self._sends.record(*state.last_sends)

    async def _again(self, state: RowState, ask: Ask[T], failed: RequestFailedError) -> T:
        """Continue after a first failure; most rows have none and avoid the retry loop's overhead."""
        met_already = [failed]

        async def attempt(_: Attempts, state: RowState) -> T:
            if met_already:
                raise met_already.pop()
            return await self._attempt(state, ask)

        def note(failure: Failure, wait_s: float) -> None:
            self._failure_policy.will_be_repeated(failure, wait_s, state)
            self.retries += 1
            self.latest_kind = failure.kind
            after_s = time.perf_counter() - state.started
            state.retries.append(Retry(failure.kind, failure.status, failure.code, round(wait_s, 3), round(after_s, 3)))

        loop = retrying(self._policy, sleep=self._sleep, before_sleep=note, random=self._random)
        try:
            answer: T = await loop(attempt, state.attempts, state)
        except RequestFailedError as error:
            self._failure_policy.row_failed(error.failure)
            raise
        return answer

    async def _attempt(self, state: RowState, ask: Ask[T]) -> T:
        try:
            return await ask(state, await self._pay_for_retry(state.attempts))
        except RequestFailedError as error:
            self.write_down_end(state)
            raise RequestFailedError(self._failure_policy.attempt_failed(error.failure, state)) from error
        except (RunCancelledError, LLMBatchError):
            raise
        except Exception as error:  # a bug fails its row and is reported; five of the same stop the run
            raise RequestFailedError(self._failure_policy.attempt_failed(judge_exception(error), state)) from error

    async def _pay_for_retry(self, attempts: Attempts) -> float:
        """Pay only for retries that multiply the endpoint's load, not for a re-ask after an answer."""
        last = attempts.failures[-1].action if attempts.failures else None
        if last not in (Action.RETRY, Action.THROTTLE):
            return 0.0
        self.waiting += 1
        try:
            return await self._retry_budget.spend(last)
        finally:
            self.waiting -= 1

    async def _sleep(self, seconds: float) -> None:
        wait_s = self._failure_policy.wait_s(seconds)
        due = time.monotonic() + wait_s
        self.waiting += 1
        self._due.append(due)
        try:
            await self._cancellation.sleep(wait_s)
        finally:
            self.waiting -= 1
            self._due.remove(due)
