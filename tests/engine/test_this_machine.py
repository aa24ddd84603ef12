"""This machine cannot send requests: concurrency falls, then the run ends, and no limit or outage is inferred."""

import asyncio
import errno
from random import Random

import pytest

from llmbatch.core.errors import ExitCode, StorageFailed
from llmbatch.engine.cancellation import Cancellation
from llmbatch.engine.throttle.circuit_breaker import CircuitBreaker
from llmbatch.engine.throttle.concurrency import Concurrency
from llmbatch.engine.throttle.rates import Rates
from llmbatch.engine.throttle.throttle import Throttle
from llmbatch.provider.limits import RateLimits
from llmbatch.provider.transport import judge_exception

NO_PORT = judge_exception(OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address"))


async def throttle_and_clock(fixed: int | None, longest_s: float) -> tuple[Throttle, list[float]]:
    now, cancellation = [0.0], Cancellation()
    circuit_breaker = CircuitBreaker(
        cancellation, longest_s=longest_s, random=Random(1), clock=lambda: now[0], emit=print
    )
    return Throttle(
        Concurrency(fixed), Rates(RateLimits()), circuit_breaker, cancellation, clock=lambda: now[0], emit=print
    ), now


def test_a_fixed_concurrency_also_falls_and_no_limit_is_inferred() -> None:
    throttle, now = asyncio.run(throttle_and_clock(100, 600))
    for second in range(10):
        now[0] = float(second)
        throttle.failed(NO_PORT)
    assert throttle.limit < 10
    assert (throttle.held_s, throttle.outage_s, throttle.limits) == (0, 0, RateLimits())


@pytest.mark.parametrize(("longest_s", "ends_s"), [(600, 120), (5, 5)])
def test_it_ends_the_run_after_two_minutes_or_the_longest_wait(longest_s: float, ends_s: float) -> None:
    throttle, now = asyncio.run(throttle_and_clock(None, longest_s))
    throttle.failed(NO_PORT)
    now[0] = ends_s - 1
    throttle.failed(NO_PORT)
    now[0] = ends_s
    with pytest.raises(StorageFailed, match="no free port") as ended:
        throttle.failed(NO_PORT)
    assert ended.value.exit_code is ExitCode.STORAGE
    assert "--concurrency" in (ended.value.hint or "")


def test_an_answer_in_between_resets_the_wait() -> None:
    throttle, now = asyncio.run(throttle_and_clock(None, 600))
    for second in range(0, 1000, 100):
        now[0] = float(second)
        throttle.failed(NO_PORT)
        throttle.answered(0.1)
