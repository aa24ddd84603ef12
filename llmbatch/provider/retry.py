"""Retry rules: when, how often, and after what wait; built from tenacity's parts, driven by the failure table."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception
from tenacity.stop import stop_base
from tenacity.wait import wait_base

from llmbatch.core import defaults
from llmbatch.provider.failures import Action, Failure, RequestFailedError

_REPEATED = frozenset({Action.RETRY, Action.THROTTLE, Action.REASK, Action.ADAPT})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How patient a run is. Waits are in seconds."""

    attempts: int = defaults.ATTEMPTS
    """How often a row may be sent; throttled sends do not count, since the server did not accept them."""
    wait_min_s: float = defaults.RETRY_WAIT_MIN_S
    wait_max_s: float = defaults.RETRY_WAIT_MAX_S
    max_wait_s: float = defaults.MAX_WAIT_S
    """Longest wait; a server that asks for more ends the run instead."""
    reasks: int = defaults.REASKS
    """How often a row is re-asked after an unusable answer."""
    throttled: int = 30
    """Maximum number of rate-limit refusals for one row."""


@dataclass(slots=True)
class Attempts:
    """One row's history of failures, the only mutable state that its attempts share."""

    sends: int = 0
    counted: int = 0
    throttled: int = 0
    reasks: int = 0
    failures: list[Failure] = field(default_factory=list)

    def met(self, kind: str) -> int:
        """How often the row has failed in this way."""
        return sum(failure.kind == kind for failure in self.failures)

    def note(self, failure: Failure, *, in_outage: bool = False) -> None:
        """Count a failed send by kind. In an outage it says nothing about the row and uses up no attempt."""
        self.failures.append(failure)
        if failure.is_of_this_machine or (in_outage and failure.may_be_outage):
            return
        match failure.action:
            case Action.THROTTLE:
                self.throttled += 1
            case Action.ADAPT:
                pass
            case Action.REASK:
                self.reasks += 1
                self.counted += 1
            case _:
                self.counted += 1


def retrying(
    policy: RetryPolicy,
    *,
    sleep: Callable[[float], Awaitable[None]],
    before_sleep: Callable[[Failure, float], None],
    random: Random,
) -> AsyncRetrying:
    """tenacity's loop for one row; call it with a coroutine function whose first argument is the row's `Attempts`.

    Args:
        policy: the retry policy.
        sleep: waits the given seconds.
        before_sleep: called with each failure that is retried and the seconds until the retry.
        random: the source of jitter.

    The last failure is raised unchanged.
    """

    def note_sleep(state: RetryCallState) -> None:
        before_sleep(_failure(state), state.upcoming_sleep)

    return AsyncRetrying(
        retry=retry_if_exception(_is_repeated),
        stop=_StopByFailure(policy),
        wait=_WaitByFailure(policy, random),
        sleep=sleep,
        before_sleep=note_sleep,
        reraise=True,
    )


class _StopByFailure(stop_base):
    def __init__(self, policy: RetryPolicy) -> None:
        self._policy = policy

    def __call__(self, retry_state: RetryCallState) -> bool:
        policy, failure, attempts = self._policy, _failure(retry_state), _attempts(retry_state)
        if failure.repeats is not None and attempts.met(failure.kind) > failure.repeats:
            return True
        match failure.action:
            case Action.THROTTLE if failure.is_of_this_machine:
                return False  # the run waits, or ends
            case Action.THROTTLE if failure.is_without_capacity:
                return (retry_state.seconds_since_start or 0.0) >= policy.max_wait_s
            case Action.THROTTLE:
                return attempts.throttled > policy.throttled
            case Action.REASK:
                return attempts.reasks > policy.reasks or attempts.counted >= policy.attempts
            case Action.ADAPT:
                return False
            case _:
                return attempts.counted >= policy.attempts


class _WaitByFailure(wait_base):
    """The server's requested wait if any, else a random wait whose range doubles with each try."""

    def __init__(self, policy: RetryPolicy, random: Random) -> None:
        self._policy = policy
        self._random = random

    def __call__(self, retry_state: RetryCallState) -> float:
        failure, attempts = _failure(retry_state), _attempts(retry_state)
        if failure.action in (Action.REASK, Action.ADAPT):
            return 0.0
        if failure.wait_s is not None:
            # A little more than requested, so that rows refused together do not return together.
            return failure.wait_s * self._random.uniform(1.0, 1.1)
        return self._backoff(attempts) * failure.patience

    def _backoff(self, attempts: Attempts) -> float:
        policy = self._policy
        tries = max(attempts.counted + attempts.throttled, 1)
        widest = min(policy.wait_min_s * 2.0 ** min(tries, 30), policy.wait_max_s)
        return self._random.uniform(min(policy.wait_min_s, policy.wait_max_s), widest)


def _is_repeated(error: BaseException) -> bool:
    return isinstance(error, RequestFailedError) and error.failure.action in _REPEATED


def _failure(state: RetryCallState) -> Failure:
    error = state.outcome.exception() if state.outcome is not None else None
    assert isinstance(error, RequestFailedError)  # noqa: S101 - only such errors are retried
    return error.failure


def _attempts(state: RetryCallState) -> Attempts:
    attempts = state.args[0]
    assert isinstance(attempts, Attempts)  # noqa: S101 - the contract of `retrying`
    return attempts
