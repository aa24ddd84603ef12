"""Whatever happens to whom and when: never over a cap, and the cap can be used."""

import asyncio
import os
from pathlib import Path

import pytest

from llmbatch.spend.store import SpendStore
from tests.spend.world import MOST, World

SCHEDULES = int(os.environ.get("LLMBATCH_SCHEDULES", "50"))
AT_ONE_STORE = 50  # a store with the sessions of years would be slow


@pytest.mark.timeout(3600)
def test_no_schedule_of_costs_kills_and_resumes_passes_a_cap(tmp_path: Path) -> None:
    reached_at_the_day = 0
    for first in range(0, SCHEDULES, AT_ONE_STORE):
        store = SpendStore(tmp_path / f"{first}.sqlite3")
        store._db.execute("PRAGMA synchronous = OFF")  # nobody pulls the plug on a test
        for seed in range(first, min(first + AT_ONE_STORE, SCHEDULES)):
            reached_at_the_day += lived_within_its_caps(World(store, seed))
        store.close()
    assert reached_at_the_day > SCHEDULES // 20, "the caps were put to the test"


def lived_within_its_caps(world: World) -> bool:
    """Let a world live. Whether it reached the day's cap."""
    asyncio.run(world.live())
    for day, billed in world.billed.items():
        total = world.store.total(world.book, day)
        assert billed <= total.spent_nanousd == total.charged_nanousd <= world.cap, world.book
    reached = any("--daily-budget" in message for message in world.reached)
    if reached:
        assert world.known() > world.cap - MOST >= 0.98 * world.cap, (
            f"{world.book}: all but one request's worth is used"
        )
    return reached
