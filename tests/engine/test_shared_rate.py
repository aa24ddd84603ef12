"""Processes that share a limit never exceed it, and use all of it while any of them has work."""

import asyncio
import heapq
from collections.abc import Callable
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmbatch.core.errors import StorageFailed, UsageError
from llmbatch.databases import parse_address
from llmbatch.engine.throttle.shared_rate import BURST_S, RateShare, SharedRate, Taken, limit_name
from llmbatch.runs.rates import parse_rate_store
from llmbatch.runs.rates.postgresql import PostgresqlRateShare
from llmbatch.runs.rates.sqlite import SqliteRateShare
from tests.databases.server import Database, postgresql, postgresql_server

__all__ = ["postgresql", "postgresql_server"]

PER_S = 100.0
LEASE_S = 0.25


class Clock:
    """Advances only when it is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def at_once(call: Callable[..., Any], *arguments: Any) -> Any:
    return call(*arguments)


def processes(path: Path, clock: Clock, count: int) -> list[SharedRate]:
    """Simulated processes: each opens the file separately."""
    return [
        SharedRate(SqliteRateShare(path, clock), "limit", clock=clock, on_failure=_raise, off_loop=at_once)
        for _ in range(count)
    ]


def _raise(error: StorageFailed) -> None:
    raise error


def sends(shared: list[SharedRate], clock: Clock, work: list[tuple[int, float]]) -> list[tuple[float, int]]:
    """When each process sends; `work` has each one's number of requests and the minimum time between two of them."""

    async def run() -> list[tuple[float, int]]:
        sent: list[tuple[float, int]] = []
        ready = [(clock.now, number) for number in range(len(shared))]
        left = [count for count, _ in work]
        while ready:
            clock.now, number = heapq.heappop(ready)
            if not left[number]:
                continue
            left[number] -= 1
            at = clock.now + await shared[number].place(1 / PER_S)
            sent.append((at, number))
            heapq.heappush(ready, (max(at, clock.now + work[number][1]), number))
        return sorted(sent)

    return asyncio.run(run())


def check_within_limit(times: list[float]) -> None:
    """A bucket that holds one second's worth never overflows."""
    level, before = PER_S, times[0]
    for at in times:
        level = min(level + (at - before) * PER_S, PER_S) - 1
        before = at
        assert level >= 0, f"at {at - times[0]:.2f} s"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    work=st.lists(st.tuples(st.integers(1, 300), st.sampled_from([0.0, 0.001, 0.02, 0.1, 0.5])), min_size=1, max_size=6)
)
def test_all_processes_together_keep_the_limit_whatever_each_has_to_send(
    tmp_path_factory: pytest.TempPathFactory, work: list[tuple[int, float]]
) -> None:
    clock = Clock()
    times = sends(processes(tmp_path_factory.mktemp("rate") / "rates", clock, len(work)), clock, work)
    check_within_limit([at for at, _ in times])
    alone_s = max(count * gap_s for count, gap_s in work)
    together_s = sum(count for count, _ in work) / PER_S
    assert times[-1][0] - times[0][0] <= max(alone_s, together_s) + alone_s * 0.5 + len(work) * LEASE_S + 0.5


def test_a_process_with_more_work_gets_what_the_others_leave(tmp_path: Path) -> None:
    clock = Clock()
    times = sends(processes(tmp_path / "rates", clock, 2), clock, [(1600, 0.0), (400, 0.0)])
    assert times[-1][0] - times[0][0] == pytest.approx(20 - BURST_S, abs=0.2)
    clock = Clock()
    alone = sends(processes(tmp_path / "others", clock, 1), clock, [(2000, 0.0)])
    assert alone[-1][0] - alone[0][0] == pytest.approx(20 - BURST_S, abs=0.02), "one process loses nothing"


def test_a_process_that_dies_leaves_at_most_one_lease_unused(tmp_path: Path) -> None:
    clock = Clock()
    shared = processes(tmp_path / "rates", clock, 2)
    sends(shared, clock, [(200, 0.0), (200, 0.0)])
    clock.now += 10
    sends(shared[:1], clock, [(1, 0.0)])  # takes a lease, then dies
    times = sends(shared[1:], clock, [(100, 0.0)])
    assert times[0][0] - clock.now <= LEASE_S


def test_a_request_that_used_more_than_estimated_delays_the_next(tmp_path: Path) -> None:
    async def waits(correction_s: float) -> float:
        clock = Clock()
        (shared,) = processes(tmp_path / f"{correction_s}", clock, 1)
        for _ in range(40):
            await shared.place(0.02)
        shared.correct(correction_s)
        await shared.place(0.02)
        return await shared.place(0.02)

    more, expected, less = (asyncio.run(waits(seconds)) for seconds in (0.2, 0.0, -0.02))
    assert more - expected == pytest.approx(0.2, abs=1e-6)
    assert expected - less == pytest.approx(0.02, abs=1e-6)


def test_an_unusable_store_is_reported_once_and_delays_no_request(tmp_path: Path) -> None:
    path = tmp_path / "rates"
    path.write_bytes(b"no database" * 100)
    reported: list[StorageFailed] = []

    async def waits() -> list[float]:
        shared = SharedRate(SqliteRateShare(path), "limit", clock=Clock(), on_failure=reported.append)
        return [await shared.place(0.02) for _ in range(5)]

    assert asyncio.run(waits()) == [0.0] * 5
    assert ["rate store" in error.message for error in reported] == [True]


def test_machines_share_a_limit_through_a_database(postgresql: Database) -> None:
    address = parse_address(postgresql.address)
    with closing(PostgresqlRateShare(address)) as one, closing(PostgresqlRateShare(address)) as other:
        taken = [share.take(limit, 0.5) for limit in ("a", "b") for share in (one, other, one)]
    begins = [round(after.begins_at - before.begins_at, 6) for before, after in pairwise(taken)]
    assert begins[:2] == begins[3:] == [0.5, 0.5], "one after the other, and another limit independently"
    assert taken[0].begins_at == pytest.approx(taken[0].now - BURST_S, abs=0.05)


def test_a_database_is_used_again_after_it_was_unavailable(postgresql: Database) -> None:
    with closing(PostgresqlRateShare(parse_address(postgresql.address))) as share:
        share.take("limit", 0.5)
        postgresql.disconnect_others()
        with pytest.raises(StorageFailed):
            share.take("limit", 0.5)
        share.take("limit", 0.5)


def test_an_unusable_database_is_an_error_at_the_start(postgresql: Database) -> None:
    with pytest.raises(UsageError, match="cannot connect"):
        PostgresqlRateShare(parse_address(postgresql.address.replace("%3F", "%3E")))
    with pytest.raises(UsageError, match="as a file path"):
        parse_rate_store("sqlite:///rates.db")


def test_a_failed_store_is_retried_after_a_while() -> None:
    class Broken:
        asked = 0

        def take(self, limit: str, seconds: float) -> Taken:
            self.asked += 1
            raise StorageFailed(f"{limit}: no {seconds} s")

        def close(self) -> None: ...

    async def asked() -> int:
        clock, broken, reported = Clock(), Broken(), list[StorageFailed]()
        shared = SharedRate(broken, "limit", clock=clock, on_failure=reported.append, off_loop=at_once)
        for _ in range(10):
            assert await shared.place(0.02) == 0.0
            clock.now += 10
        assert len(reported) == 1
        return broken.asked

    assert asyncio.run(asked()) == 4


def test_a_schedule_from_before_a_reboot_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, boot = tmp_path / "rates", tmp_path / "boot_id"
    monkeypatch.setattr("llmbatch.runs.rates.sqlite._BOOT_ID", boot)
    boot.write_text("first")
    SqliteRateShare(path, lambda: 1e6).take("limit", 1.0)
    boot.write_text("second")
    assert SqliteRateShare(path, lambda: 5.0).take("limit", 1.0).begins_at == pytest.approx(5.0 - BURST_S)


def check_a_much_lower_limit_does_not_delay_the_next_run(share: RateShare) -> None:
    share.take("limit", 60_000.0)
    taken = share.take("limit", 0.1)
    assert taken.begins_at - taken.now == pytest.approx(102.4, abs=1)


def test_a_much_lower_limit_does_not_delay_the_next_run_for_hours(tmp_path: Path) -> None:
    with closing(SqliteRateShare(tmp_path / "rates")) as share:
        check_a_much_lower_limit_does_not_delay_the_next_run(share)


def test_a_much_lower_limit_in_a_database_does_not_delay_the_next_run(postgresql: Database) -> None:
    with closing(PostgresqlRateShare(parse_address(postgresql.address))) as share:
        check_a_much_lower_limit_does_not_delay_the_next_run(share)


def test_each_machine_has_its_own_file(monkeypatch: pytest.MonkeyPatch) -> None:
    places = set()
    for name in ("one", "two", "../three/é", ""):
        monkeypatch.setattr("platform.node", lambda name=name: name)
        store = parse_rate_store(None)
        assert store is not None
        assert isinstance(store.place, Path)
        places.add(store.place)
    assert len(places) == 4
    assert len({place.parent for place in places}) == 1


def test_other_accounts_endpoints_and_models_have_separate_limits() -> None:
    names = {limit_name(*parts) for parts in [("a", "b", "c"), ("a", "b", "d"), ("a", "c", "c"), ("b", "b", "c")]}
    assert len(names) == 4
    assert not any("secret" in limit_name("https://h/v1", "secret", "m") for _ in names)
