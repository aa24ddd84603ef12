"""Concurrency finds its level: it grows while the endpoint keeps up and falls when it does not."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from llmbatch.pipeline.pacing.concurrency import Concurrency, Slots


def test_it_doubles_with_each_round_trip_until_the_first_congestion() -> None:
    level = Concurrency()
    seen = [level.limit]
    for _ in range(3):
        for _ in range(seen[-1]):
            level.succeeded(seen[-1], 0.3)
        seen.append(level.limit)
    assert seen == [8, 16, 32, 64]


def test_after_congestion_it_grows_by_one_a_round_trip() -> None:
    level = Concurrency()
    level.congested(now=1.0)
    before = level.limit
    for _ in range(before + 1):
        level.succeeded(before, 0.3)
    assert level.limit == before + 1


def test_one_round_trip_of_refusals_is_one_cut() -> None:
    level = Concurrency()
    for _ in range(100):
        level.succeeded(level.limit, 0.3)
    before = level.limit
    for n in range(20):
        level.congested(now=10.0 + n / 1000)
    assert level.limit == int(before * 0.7)


def test_it_does_not_grow_while_half_of_it_is_idle() -> None:
    level = Concurrency()
    for _ in range(1000):
        level.succeeded(3, 0.3)
    assert level.limit == 8


def test_it_does_not_grow_when_answers_only_get_slower() -> None:
    level = Concurrency()
    for _ in range(20):
        level.succeeded(level.limit, 0.01)
    before = level.limit
    for _ in range(1000):
        level.succeeded(level.limit, 0.5)
    assert level.limit == before


def test_one_slow_answer_among_many_does_not_end_the_doubling() -> None:
    level = Concurrency()
    for n in range(100):
        level.succeeded(level.limit, 3.0 if n % 20 == 19 else 0.5)
    assert level.limit == 108


@given(st.lists(st.sampled_from(["success", "congestion"])), st.integers(1, 100))
def test_a_fixed_number_stays_and_a_found_one_keeps_its_bounds(events: list[str], number: int) -> None:
    fixed, found = Concurrency(number), Concurrency()
    for n, event in enumerate(events):
        for level in (fixed, found):
            if event == "success":
                level.succeeded(level.limit, 0.1)
            else:
                level.congested(float(n))
    assert fixed.limit == number == fixed.most
    assert 1 <= found.limit <= found.most


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 20)), max_size=60), st.integers(1, 5))
def test_slots_never_exceed_the_limit_and_none_is_lost(steps: list[tuple[bool, bool, int]], limit: int) -> None:
    async def run() -> None:
        slots = Slots(Concurrency(limit))
        holding = 0
        tasks: list[asyncio.Task[None]] = []

        async def work(rounds: int, *, asked_before: bool) -> None:
            nonlocal holding
            await slots.acquire(asked_before=asked_before)
            holding += 1
            assert holding <= limit
            try:
                for _ in range(rounds):
                    await asyncio.sleep(0)
            finally:
                holding -= 1
                slots.release()

        for cancels, asked_before, rounds in steps:
            tasks.append(asyncio.create_task(work(rounds, asked_before=asked_before)))
            await asyncio.sleep(0)
            if cancels:
                tasks[rounds % len(tasks)].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert not [task for task in tasks if not task.cancelled() and task.exception()]
        async with asyncio.timeout(5):
            for _ in range(limit):
                await slots.acquire(asked_before=False)

    asyncio.run(run())


@given(st.lists(st.booleans(), max_size=30))
def test_rows_that_were_asked_before_go_first_each_kind_in_its_order(kinds: list[bool]) -> None:
    async def run() -> None:
        slots, order = Slots(Concurrency(1)), list[tuple[bool, int]]()

        async def work(number: int, *, asked_before: bool) -> None:
            async with slots.place(asked_before=asked_before):
                order.append((asked_before, number))

        async with slots.place(asked_before=False):
            tasks = [asyncio.create_task(work(n, asked_before=kind)) for n, kind in enumerate(kinds)]
            await asyncio.sleep(0)
        await asyncio.gather(*tasks)
        assert order == sorted(order, key=lambda one: (not one[0], one[1]))

    asyncio.run(run())
