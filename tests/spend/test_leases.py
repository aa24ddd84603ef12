"""One session's part of a day's cap: leased as needed, returned, and in use across midnight."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from functools import wraps
from typing import Any, ParamSpec

import pytest

from llmbatch.core.errors import BudgetReached
from llmbatch.spend.account import SpendAccount
from llmbatch.spend.book import WHOLE_RUN, Balance, SessionInfo, Settlement
from llmbatch.spend.leases import DailyLimit, SharedRunLimit
from llmbatch.spend.store import SpendStore

P = ParamSpec("P")
EVENING = datetime(2026, 11, 25, 23, 59, 59, tzinfo=UTC)
MORNING = datetime(2026, 11, 26, 0, 0, 1, tzinfo=UTC)


class Session:
    """A daily limit whose clocks a test sets."""

    def __init__(self, store: SpendStore, cap: int, name: str = "a") -> None:
        self.now = EVENING
        info = SessionInfo(f"2026-11-25-{name}", "real", "/r", "m", "t", "p", leased=True, started_at="2026-11-25")
        self.account = SpendAccount(store, info, lambda *_: None)
        self.account.begin()
        self.seconds = 0.0
        self.limit = DailyLimit(
            cap, self.account, sleep=self._sleep, off_loop=_at_once, now=lambda: self.now, clock=lambda: self.seconds
        )

    async def _sleep(self, seconds: float, *, or_until: asyncio.Event) -> None:  # noqa: ARG002
        self.seconds += seconds
        await asyncio.sleep(0)


def in_a_loop(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    @wraps(test)
    def run(*arguments: P.args, **named: P.kwargs) -> None:
        asyncio.run(test(*arguments, **named))

    return run


async def _at_once(call: Callable[..., Any], *arguments: Any) -> Any:
    return call(*arguments)


@in_a_loop
async def test_a_run_continues_into_the_new_day_and_each_request_belongs_to_its_own_day(store: SpendStore) -> None:
    session = Session(store, cap=100)
    first = await session.limit.reserve(90)
    session.now = MORNING
    second = await session.limit.reserve(90)
    session.limit.settle(second, 90, 40)
    session.limit.settle(first, 90, 80)
    await session.limit.beat({})
    assert (first, second) == ("2026-11-25", "2026-11-26")
    assert store.total("real", first).spent_nanousd == 80
    assert store.total("real", second).spent_nanousd == 40


@in_a_loop
async def test_a_reached_budget_reports_the_spending_and_when_the_next_day_begins(store: SpendStore) -> None:
    session = Session(store, cap=10_000_000_000)
    day = await session.limit.reserve(9_000_000_000)
    session.limit.settle(day, 9_000_000_000, 9_000_000_000)
    session.now = datetime(2026, 11, 25, 18, 57, tzinfo=UTC)
    with pytest.raises(BudgetReached) as reached:
        await session.limit.reserve(1_500_000_000)
    assert reached.value.message == (
        "--daily-budget $10 is reached: $9 of 2026-11-25 (UTC) is spent or may be, and the next request may cost $1.5"
    )
    assert "2026-11-26T00:00:00Z, in 5h03m" in (reached.value.hint or "")


@in_a_loop
async def test_a_request_waits_for_budget_that_another_session_may_return(store: SpendStore) -> None:
    one, two = Session(store, cap=100, name="a"), Session(store, cap=100, name="b")
    day = await one.limit.reserve(90)
    waiting = asyncio.create_task(two.limit.reserve(90))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not waiting.done()
    one.limit.settle(day, 90, 10)
    await one.limit.beat({})
    await one.limit.beat({})
    assert await waiting == day


@in_a_loop
async def test_a_stalled_session_is_not_waited_for_forever(store: SpendStore) -> None:
    one, two = Session(store, cap=100, name="a"), Session(store, cap=100, name="b")
    await one.limit.reserve(90)
    with pytest.raises(BudgetReached):
        await two.limit.reserve(90)
    assert two.seconds >= 120


@in_a_loop
async def test_unneeded_budget_is_returned(store: SpendStore) -> None:
    session = Session(store, cap=10_000)
    day = await session.limit.reserve(10)
    assert store.total("real", day).charged_nanousd == 160, "room for sixteen requests"
    session.limit.settle(day, 10, 7)
    await session.limit.beat({})
    await session.limit.beat({})
    assert store.total("real", day).charged_nanousd == 7


@in_a_loop
async def test_leases_grow_while_they_are_used_up_quickly_so_that_the_store_is_called_rarely(store: SpendStore) -> None:
    session = Session(store, cap=10**9)
    began = store._db.total_changes
    for _ in range(100_000):
        session.limit.settle(await session.limit.reserve(10), 10, 5)
    assert store._db.total_changes - began < 30


class Worker:
    """One of several processes that work on a run together."""

    def __init__(self, store: SpendStore, cap: int, name: str, came_to: int = 0) -> None:
        info = SessionInfo(name, WHOLE_RUN, f"/r/{name[0]}", "m", "t", "p", leased=True, started_at="2026-11-25")
        account = SpendAccount(store, info, lambda *_: Settlement({}, came_to))
        account.begin()
        self.steps = 0
        self.limit = SharedRunLimit(cap, account, sleep=self._sleep, off_loop=_at_once, clock=lambda: self.steps)
        self.spent = 0

    async def _sleep(self, seconds: float, *, or_until: asyncio.Event) -> None:  # noqa: ARG002
        self.steps += 1
        await self.limit.beat()
        await asyncio.sleep(0)

    async def send(self, requests: int, *, most: int, cost: int) -> None:
        for _ in range(requests):
            await self.limit.reserve(most)
            await asyncio.sleep(0)
            self.spent += cost
            self.limit.settle(most, cost)


@in_a_loop
async def test_workers_on_a_run_spend_exactly_its_limit(store: SpendStore) -> None:
    store.begin_session(before := SessionInfo("0", WHOLE_RUN, "", "", "", "", leased=True, started_at="2026-11-25"))
    store.record(before.id, {WHOLE_RUN: Balance(300, 300)}, {}, ended_at="2026-11-25")
    workers = [Worker(store, 1_000, name) for name in "abc"]
    ended = await asyncio.gather(*(worker.send(50, most=10, cost=7) for worker in workers), return_exceptions=True)
    assert any(isinstance(each, BudgetReached) for each in ended)
    assert 690 <= sum(worker.spent for worker in workers) <= 700
    assert "$1e-06 is reached" in str(next(each for each in ended if each is not None))


@in_a_loop
async def test_the_resuming_worker_settles_a_killed_workers_lease(store: SpendStore) -> None:
    killed = Worker(store, 1_000, "a1")
    await killed.limit.reserve(10)
    held = store.total(WHOLE_RUN, WHOLE_RUN).charged_nanousd
    assert held > 10
    other = Worker(store, 1_000, "b1")
    assert store.total(WHOLE_RUN, WHOLE_RUN).charged_nanousd == held, "no other worker can"
    resumed = Worker(store, 1_000, "a2", came_to=10)
    assert store.total(WHOLE_RUN, WHOLE_RUN).charged_nanousd == 10
    assert (other.limit.spent_nanousd, resumed.limit.spent_nanousd) == (0, 10)
