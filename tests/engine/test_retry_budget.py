"""Retries are budgeted, so that the load on a struggling endpoint does not multiply; no retry waits forever."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from llmbatch.engine.cancellation import Cancellation
from llmbatch.engine.throttle.retry_budget import RetryBudget
from llmbatch.provider.failures import Action
from tests.engine.simulated import SimulatedTimeLoop


def seconds_for(retries: int, *, successes: int = 0) -> float:
    """How long that many retries wait in total after that many successes."""

    async def run() -> float:
        clock = asyncio.get_running_loop().time
        budget = RetryBudget(Cancellation(), clock=clock)
        await asyncio.gather(*(budget.spend(Action.RETRY) for _ in range(35)))
        for _ in range(successes):
            budget.succeeded(0)
        began = clock()
        await asyncio.gather(*(budget.spend(Action.RETRY) for _ in range(retries)))
        return clock() - began

    with asyncio.Runner(loop_factory=SimulatedTimeLoop) as runner:
        return runner.run(run())


def test_a_full_budget_pays_for_35_retries_at_once_and_then_for_one_a_second() -> None:
    assert 9 <= seconds_for(retries=10) <= 10


def test_fourteen_successes_pay_for_a_retry() -> None:
    assert seconds_for(retries=10, successes=140) <= 1


def test_a_re_ask_costs_nothing() -> None:
    async def run() -> float:
        return await RetryBudget(Cancellation(), clock=asyncio.get_running_loop().time).spend(Action.REASK)

    assert asyncio.run(run()) == 0


@given(st.lists(st.sampled_from(["retry", "throttle", "success", "second"]), max_size=200))
def test_the_budget_is_never_overdrawn_and_never_more_than_full(events: list[str]) -> None:
    async def run() -> None:
        now = 0.0
        budget = RetryBudget(Cancellation(), clock=lambda: now)
        for event in events:
            match event:
                case "retry" | "throttle" if budget.level >= 14:
                    await budget.spend(Action.RETRY if event == "retry" else Action.THROTTLE)
                case "success":
                    budget.succeeded(14)
                case _:
                    now += 1
            assert 0 <= budget.level <= 500

    asyncio.run(run())
