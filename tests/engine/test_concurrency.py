"""Adaptive concurrency: it grows while the endpoint keeps up and falls when it does not."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.engine.throttle.concurrency import Concurrency, Slots


class Server:
    """Answers as many requests at once as it has slots, each in `latency_s`; the others wait for a slot."""

    def __init__(self, concurrency: Concurrency, *, slots: int = 1000, latency_s: float = 0.3) -> None:
        self.concurrency = concurrency
        self.now = 0.0
        self._slots = slots
        self._latency_s = latency_s
        concurrency.succeeded(1, latency_s, self.now)  # the probe, alone

    def answer(self, rounds: int, *, in_use: float = 1.0) -> list[int]:
        """Simulate this many round trips, each of as many requests as allowed; returns the limit after each."""
        limits = []
        for _ in range(rounds):
            count = max(int(self.concurrency.limit * in_use), 1)
            latency_s = self._latency_s * max(count / self._slots, 1.0)
            self.now += latency_s
            for _ in range(count):
                self.concurrency.succeeded(count, latency_s, self.now)
            limits.append(self.concurrency.limit)
        return limits


def test_the_limit_doubles_as_long_as_answers_take_no_longer() -> None:
    limits = Server(Concurrency()).answer(8)
    assert (limits[0], limits[-1], limits) == (16, 512, sorted(limits))


@pytest.mark.parametrize("slots", [1, 2, 4, 8, 64])
def test_the_limit_settles_where_more_requests_would_only_queue(slots: int) -> None:
    concurrency = Concurrency()
    server = Server(concurrency, slots=slots)
    limits = server.answer(400)
    assert slots <= concurrency.limit <= 2.5 * slots + 1, limits
    assert max(limits[100:]) <= 3 * slots + 1, "and it stays there"


def test_a_slow_endpoint_gets_no_more_concurrent_requests_than_it_can_answer_in_time() -> None:
    concurrency = Concurrency(timeout_s=30)
    server = Server(concurrency, slots=1, latency_s=5.0)
    assert concurrency.limit == 2, "eight at once, one after the other, would take 40 s"
    assert max(server.answer(200)) * 5.0 < 30


def test_the_limit_falls_before_requests_time_out() -> None:
    concurrency = Concurrency(timeout_s=30)
    server = Server(concurrency)
    server.answer(4)
    before = concurrency.limit
    for n in range(20):
        concurrency.succeeded(before, 20.0, server.now + 20 + n)
    assert concurrency.limit < before


def test_refusals_within_one_round_trip_cut_the_limit_once() -> None:
    concurrency = Concurrency()
    Server(concurrency).answer(3)
    before = concurrency.limit
    for n in range(20):
        concurrency.congested(now=10.0 + n / 1000)
    assert concurrency.limit == int(before * 0.7)


def test_a_timeout_halves_the_limit_and_does_not_restart_it() -> None:
    concurrency = Concurrency()
    Server(concurrency).answer(3)
    before = concurrency.limit
    concurrency.timed_out(now=100.0)
    assert concurrency.limit == before // 2


def test_after_an_outage_it_restarts_at_half_of_the_sustained_concurrency() -> None:
    concurrency = Concurrency()
    server = Server(concurrency)
    server.answer(4)
    server.answer(1, in_use=0.4)
    kept_up = concurrency.limit
    for n in range(20):
        concurrency.congested(now=100.0 + n)
    concurrency.resume(now=200.0)
    assert concurrency.limit == kept_up // 2
    server.now = 200.0
    assert max(server.answer(4)) > kept_up


def test_it_does_not_grow_while_half_of_it_is_idle() -> None:
    concurrency = Concurrency()
    server = Server(concurrency)
    server.answer(1)
    before = concurrency.limit
    assert server.answer(100, in_use=0.4)[-1] == before


def test_one_slow_answer_among_many_does_not_end_the_doubling() -> None:
    concurrency, now = Concurrency(), 0.0
    for n in range(600):
        now += 0.02
        concurrency.succeeded(concurrency.limit, 3.0 if n % 20 == 19 else 0.5, now)
    assert concurrency.limit > 100


@given(st.lists(st.sampled_from(["success", "congestion"])), st.integers(1, 100))
def test_a_fixed_limit_stays_and_an_adaptive_one_keeps_its_bounds(events: list[str], number: int) -> None:
    fixed, found = Concurrency(number), Concurrency()
    for n, event in enumerate(events):
        for concurrency in (fixed, found):
            if event == "success":
                concurrency.succeeded(concurrency.limit, 0.1, float(n))
            else:
                concurrency.congested(float(n))
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
def test_retried_rows_go_first_and_each_group_keeps_its_order(kinds: list[bool]) -> None:
    async def run() -> None:
        slots, order = Slots(Concurrency(1)), list[tuple[bool, int]]()

        async def work(number: int, *, asked_before: bool) -> None:
            await slots.acquire(asked_before=asked_before)
            order.append((asked_before, number))
            slots.release()

        await slots.acquire(asked_before=False)
        tasks = [asyncio.create_task(work(n, asked_before=kind)) for n, kind in enumerate(kinds)]
        await asyncio.sleep(0)
        slots.release()
        await asyncio.gather(*tasks)
        assert order == sorted(order, key=lambda one: (not one[0], one[1]))

    asyncio.run(run())
