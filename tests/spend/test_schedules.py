"""Whatever happens to whom and when: never over a cap, and the cap can be used."""

import asyncio
import os

import pytest

from llmbatch.spend.store import SpendStore
from tests.spend.world import MOST, World

SCHEDULES = int(os.environ.get("LLMBATCH_SCHEDULES", "50"))


@pytest.mark.timeout(1800)
def test_no_schedule_of_costs_kills_and_resumes_passes_a_cap(store: SpendStore) -> None:
    reached_at_the_day = 0

    async def all_of_them() -> None:
        nonlocal reached_at_the_day
        for seed in range(SCHEDULES):
            world = World(store, seed)
            async with asyncio.timeout(60):
                await world.live()
            for day in world.billed:
                total = store.total(world.book, day)
                assert world.billed[day] <= total.spent_nusd == total.charged_nusd <= world.cap, seed
            if any("--daily-budget" in message for message in world.reached):
                reached_at_the_day += 1
                assert world.known() > world.cap - MOST >= 0.98 * world.cap, (
                    seed,
                    "all but one request's worth is used",
                )

    asyncio.run(all_of_them())
    assert reached_at_the_day > SCHEDULES // 20, "the caps were put to the test"
