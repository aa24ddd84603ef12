"""Kills at random points of real runs: the endpoint's own count shows whether anything was paid twice."""

import json
import os
import random
import signal
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.conftest import StartEndpoint
from tests.e2e.forked import CONSTANTS
from tests.e2e.holder import holder
from tests.e2e.program import Done, Program, accounted, documents, ledger_lines, views, write_rows
from tests.ledgers import ledger_rows
from tests.thorough import IS_TORTURE

ROWS = 400
MILESTONES = {
    "llmbatch.session.session_loop.MILESTONE_BYTES": 8_000,
    "llmbatch.session.session_loop.SYNC_EVERY_S": 0.01,
}
"""A checkpoint every ten lines, and then a new log of sends, as otherwise after 80,000."""
KILLS_A_RUN = 20 if IS_TORTURE else 5
RUNS = 10 if IS_TORTURE else 1


@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(RUNS))
def test_kills_at_random_points_lose_nothing_and_report_everything_paid_twice(
    llmbatch: Program, endpoint: StartEndpoint, seed: int
) -> None:
    llmbatch.env["LLMBATCH_SPEND_STORE"] = str(llmbatch.folder / "spend")
    if seed % 2 == 0:
        llmbatch.env[CONSTANTS] = json.dumps(MILESTONES)
    write_rows(llmbatch.folder / "docs.jsonl", documents(ROWS))
    assert llmbatch("classify", "docs.jsonl", "--base-url", endpoint().url, "--out", "undisturbed").code == 0
    server = endpoint("--latency", "0.005")
    command = ("classify", "docs.jsonl", "--base-url", server.url, "--out", "run", "--concurrency", "8", "--json")
    run, chance = llmbatch.folder / "run", random.Random(seed)
    lines = sorted(chance.sample(range(ROWS), KILLS_A_RUN))
    with ThreadPoolExecutor(1) as pool:
        for target in lines:
            _killed_at(target, run, pool.submit(llmbatch, *command))
    done = llmbatch(*command)
    assert done.code == 0, done.err
    assert views(run) == views(llmbatch.folder / "undisturbed")
    assert accounted(run) == list(range(ROWS))
    keys = [line["key"] for line in ledger_rows(run / "ledger.jsonl")]
    assert len(keys) == len(set(keys)) == ROWS, "no finished row was sent again"
    assert (run / "ledger.checkpoint").exists() == (seed % 2 == 0)
    possibly_billed = done.json["usage"]["possibly_billed_requests"]
    spent = {group["run"]: group for group in llmbatch("spend", "--by", "run", "--json").json["groups"]}[str(run)]
    assert (spent["rows"], spent["requests"]) == (ROWS, ROWS + possibly_billed)
    for figure in ("input_tokens", "output_tokens", "possibly_billed_requests"):
        assert spent[figure] == done.json["usage"][figure], figure
    assert server.requests - ROWS <= possibly_billed <= 8 * KILLS_A_RUN, (
        "only requests in flight at a kill are sent again"
    )


def _killed_at(lines: int, run: Path, running: "Future[Done]") -> None:
    """Kill the process that works on the folder once its ledger has this many lines. It must not end before."""
    before = holder(run)
    deadline = time.monotonic() + 60
    while ledger_lines(run) < lines or holder(run) in (None, before):
        assert not running.done(), running.result()
        assert time.monotonic() < deadline
        time.sleep(0.001)
    working = holder(run)
    assert working is not None
    os.kill(working, signal.SIGKILL)
    assert running.result().code == -signal.SIGKILL
