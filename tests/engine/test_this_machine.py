"""This machine lets no request leave: fewer at once, then the end, with no limit or outage learnt from it."""

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


async def pace_and_clock(fixed: int | None, longest_s: float) -> tuple[Throttle, list[float]]:
    now, stop = [0.0], Cancellation()
    outage = CircuitBreaker(stop, longest_s=longest_s, random=Random(1), clock=lambda: now[0], tell=print)
    return Throttle(Concurrency(fixed), Rates(RateLimits()), outage, stop, clock=lambda: now[0], tell=print), now


def test_a_fixed_number_of_requests_falls_too_and_no_limit_is_inferred() -> None:
    pace, now = asyncio.run(pace_and_clock(100, 600))
    for second in range(10):
        now[0] = float(second)
        pace.failed(NO_PORT)
    assert pace.limit < 10
    assert (pace.held_s, pace.outage_s, pace.limits) == (0, 0, RateLimits())


@pytest.mark.parametrize(("longest_s", "ends_s"), [(600, 120), (5, 5)])
def test_it_ends_the_run_after_two_minutes_or_the_longest_wait(longest_s: float, ends_s: float) -> None:
    pace, now = asyncio.run(pace_and_clock(None, longest_s))
    pace.failed(NO_PORT)
    now[0] = ends_s - 1
    pace.failed(NO_PORT)
    now[0] = ends_s
    with pytest.raises(StorageFailed, match="no free port") as ended:
        pace.failed(NO_PORT)
    assert ended.value.exit_code is ExitCode.STORAGE
    assert "--concurrency" in (ended.value.hint or "")


def test_an_answer_between_shows_that_requests_leave() -> None:
    pace, now = asyncio.run(pace_and_clock(None, 600))
    for second in range(0, 1000, 100):
        now[0] = float(second)
        pace.failed(NO_PORT)
        pace.answered(0.1)
