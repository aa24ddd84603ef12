"""Endpoints that refuse at random, or that queue requests: neither is a limit nor an outage."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from llmbatch.observe.events import OutageBegan
from tests.engine.other_endpoint import OtherEndpoint, Said
from tests.engine.simulated import Outcome, Serving, documents, run_beside

POOL = 64


def refusing(share: float, wait_ms: int) -> Callable[[Callable[[], float]], Serving]:
    """Refuses a share of the requests, whatever their rate."""
    random = Random(3)

    def judge(_: float) -> Said:
        return Said(429, {"retry-after-ms": str(wait_ms)}) if random.random() < share else Said()

    return lambda clock: OtherEndpoint(clock, judge, latency_s=0.3, jitter=0.2)


@pytest.mark.parametrize(("share", "wait_ms"), [(0.04, 50), (0.04, 1000), (0.1, 200)])
def test_random_refusals_do_not_slow_the_run(tmp_path: Path, share: float, wait_ms: int) -> None:
    rows = 600
    run = run_beside(tmp_path, documents(rows), refusing(share, wait_ms))
    assert (run.reason, len(run.lines), run.outcomes) == (None, rows, {"ok"})
    last_row_again_s = 2 * (5 + wait_ms / 1000)
    pool_s = rows / (POOL / 0.3) + last_row_again_s
    assert run.ended_s <= pool_s / 0.6


@pytest.mark.parametrize(("slots", "latency_s", "rows"), [(1, 0.5, 80), (1, 6.0, 20), (4, 2.0, 160), (64, 0.3, 1600)])
def test_a_server_that_queues_is_kept_busy_and_no_request_is_abandoned(
    tmp_path: Path, slots: int, latency_s: float, rows: int
) -> None:
    seen = list[OtherEndpoint]()

    def serving(clock: Callable[[], float]) -> OtherEndpoint:
        seen.append(OtherEndpoint(clock, latency_s=latency_s, jitter=0.2, slots=slots))
        return seen[0]

    run = run_beside(tmp_path, documents(rows), serving)
    assert (run.reason, len(run.lines), run.outcomes) == (None, rows, {"ok"})
    assert seen[0].stats.abandoned <= 0.01 * rows
    assert not _outages(run)
    ramp_up_s = 6 * latency_s
    assert run.ended_s <= rows / (slots / latency_s) / 0.9 + ramp_up_s


def _outages(run: Outcome) -> list[OutageBegan]:
    return [event for event in run.events if isinstance(event, OutageBegan)]
