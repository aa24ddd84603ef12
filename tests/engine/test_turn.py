"""A gate that requests pass one at a time."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from llmbatch.engine.throttle.turn import Turn


@given(
    tasks=st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 3), st.none() | st.integers(0, 6)), min_size=1, max_size=9
    )
)
def test_one_task_holds_it_at_a_time_and_every_task_not_cancelled_gets_it(
    tasks: list[tuple[int, int, int | None]],
) -> None:
    """Each task arrives after some rounds of the loop, holds it for some, and may be cancelled after some more."""

    async def run() -> None:
        turn, holding, passed = Turn(), 0, set[int]()

        async def use(number: int, arrives: int, holds: int) -> None:
            nonlocal holding
            await rounds(arrives)
            async with turn:
                holding += 1
                try:
                    assert holding == 1
                    await rounds(holds)
                    passed.add(number)
                finally:
                    holding -= 1

        started = [asyncio.create_task(use(n, arrives, holds)) for n, (arrives, holds, _) in enumerate(tasks)]
        cancelled = {n: after for n, (_, _, after) in enumerate(tasks) if after is not None}
        for passed_rounds in range(7):
            for number, after in cancelled.items():
                if after == passed_rounds:
                    started[number].cancel()
            await asyncio.sleep(0)
        ended = await asyncio.wait_for(asyncio.gather(*started, return_exceptions=True), timeout=20)
        assert [end for end in ended if isinstance(end, AssertionError)] == []
        assert passed | cancelled.keys() == set(range(len(tasks)))

    asyncio.run(run())


def test_a_task_that_finds_it_free_passes_at_once_even_if_others_were_woken() -> None:
    """With a lock, each of them would wait for a round of the loop forever after one long hold."""

    async def run() -> list[str]:
        turn, order = Turn(), list[str]()

        async def use(name: str) -> None:
            async with turn:
                order.append(name)

        async with turn:
            waiting = [asyncio.create_task(use(f"waited {n}")) for n in range(3)]
            await rounds(2)
        await use("came behind")
        await asyncio.gather(*waiting)
        return order

    assert asyncio.run(run()) == ["came behind", "waited 0", "waited 1", "waited 2"]


async def rounds(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)
