"""The spending limit holds at every instant, including requests in flight."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.core.errors import BudgetReached, ExitCode
from llmbatch.engine.budget.budget import RunLimit

requests = st.lists(st.tuples(st.integers(1, 100), st.integers(0, 100), st.integers(0, 4)), max_size=60)


@given(requests, st.integers(0, 2000), st.integers(0, 500))
def test_spent_and_reserved_never_exceed_the_cap(
    coming: list[tuple[int, int, int]], cap: int, spent_before: int
) -> None:
    """Each request: how much is reserved, what percentage of it is then charged, and how long it takes."""

    async def run() -> None:
        budget = RunLimit(cap, spent_before)
        spent, reserved = spent_before, 0

        async def request(at_most: int, percent: int, rounds: int) -> None:
            nonlocal spent, reserved
            try:
                await budget.reserve(at_most)
            except BudgetReached:
                assert reserved == 0
                assert spent + at_most > cap
                return
            reserved += at_most
            assert spent + reserved <= cap
            for _ in range(rounds):
                await asyncio.sleep(0)
            reserved -= at_most
            spent += at_most * percent // 100
            budget.settle(at_most, at_most * percent // 100)

        async with asyncio.timeout(5):
            await asyncio.gather(*(request(*one) for one in coming))

    asyncio.run(run())


def test_without_a_cap_nothing_waits() -> None:
    async def run() -> None:
        budget = RunLimit(None, 10**18)
        for _ in range(1000):
            await budget.reserve(10**15)

    asyncio.run(run())


def test_a_reached_limit_reports_the_spending_and_exits_with_5() -> None:
    with pytest.raises(BudgetReached, match=r"--max-cost \$1 is reached: \$0.9 is spent or may be") as caught:
        asyncio.run(RunLimit(1_000_000_000, 900_000_000).reserve(200_000_000))
    assert caught.value.exit_code is ExitCode.BUDGET
