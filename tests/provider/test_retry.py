"""When a request is retried, and after what wait. Nothing sleeps: waits are only recorded."""

import asyncio
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.provider.failures import Action, Failure, RequestFailedError
from llmbatch.provider.retry import Attempts, RetryPolicy, retrying

TIMEOUT = Failure("timeout", Action.RETRY, "")
THROTTLED = Failure("rate_limit", Action.THROTTLE, "")
TOO_LONG = Failure("too_long", Action.FAIL, "")
INVALID = Failure("invalid", Action.REASK, "")
REFUSED = Failure("bad_parameter", Action.ADAPT, "")


def run(failures: list[Failure], policy: RetryPolicy | None = None, seed: int = 0) -> tuple[int, list[float], str]:
    """(sends, waits, outcome) of a row that gets these failures and then succeeds."""
    waits: list[float] = []
    remaining = iter(failures)

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async def attempt(attempts: Attempts) -> str:
        attempts.sends += 1
        failure = next(remaining, None)
        if failure is None:
            return "answered"
        attempts.note(failure)
        raise RequestFailedError(failure)

    attempts = Attempts()
    loop = retrying(policy or RetryPolicy(), sleep=sleep, before_sleep=lambda *_: None, random=Random(seed))
    try:
        outcome: str = asyncio.run(loop(attempt, attempts))
    except RequestFailedError as error:
        outcome = error.failure.kind
    return attempts.sends, waits, outcome


@pytest.mark.parametrize(
    ("failures", "sends", "outcome"),
    [
        ([], 1, "answered"),
        ([TIMEOUT] * 3, 4, "answered"),
        ([TIMEOUT] * 4, 4, "timeout"),
        ([TOO_LONG], 1, "too_long"),
        ([INVALID], 2, "answered"),
        ([INVALID] * 2, 2, "invalid"),
        ([REFUSED] * 3, 4, "answered"),
        ([THROTTLED] * 20, 21, "answered"),
        ([THROTTLED] * 31, 31, "rate_limit"),
        ([THROTTLED, TIMEOUT, THROTTLED, TIMEOUT, TIMEOUT], 6, "answered"),
    ],
)
def test_only_requests_that_can_succeed_are_retried(failures: list[Failure], sends: int, outcome: str) -> None:
    assert (sends, outcome) == run(failures)[::2]


def test_failures_with_their_own_retry_limit_are_not_retried_more() -> None:
    login_page = Failure("not_a_completion", Action.RETRY, "", repeats=2)
    assert run([login_page] * 9)[0] == 3


def test_the_servers_own_wait_overrides_the_back_off() -> None:
    asked = Failure("rate_limit", Action.THROTTLE, "", wait_s=0.4)
    assert 0.4 <= run([asked])[1][0] <= 0.44


def test_a_re_ask_does_not_wait() -> None:
    assert run([INVALID])[1] == [0.0]


@given(st.integers(0, 2**32), st.integers(1, 9))
def test_back_off_stays_between_its_bounds_and_grows(seed: int, tries: int) -> None:
    policy = RetryPolicy(attempts=20)
    waits = run([TIMEOUT] * tries, policy, seed)[1]
    assert len(waits) == tries
    for number, wait in enumerate(waits, start=1):
        assert 5 <= wait <= min(5 * 2**number, 120)


def test_rows_that_fail_together_are_not_retried_together() -> None:
    assert len({run([TIMEOUT], seed=seed)[1][0] for seed in range(20)}) == 20
