"""Cost limits hold through kills, with several arms, on an endpoint that bills more than it reports per answer.

The endpoint itself counts what it bills. The first answer shows how much that is, so no kill comes before it.
"""

import os
import random
import signal
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from tests.e2e.conftest import StartEndpoint
from tests.e2e.holder import holder
from tests.e2e.program import Done, Endpoint, Program, documents, ledger_lines, write_rows
from tests.thorough import IS_TORTURE

SCHEDULES = 100 if IS_TORTURE else 2
ROWS = 60
PRICE = "1,1,5"  # the same for every model and for cached tokens: the endpoint's own counts give the bill
PACKED = ("--rows-per-request", "7")
ARMS = ("--review-below", "0.97", "--escalate-to", "gpt-5.4", "--canary-model", "gpt-5.4-mini", "--canary-share", "30%")


@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(SCHEDULES))
def test_nothing_is_overspent_or_unreported(llmbatch: Program, endpoint: StartEndpoint, seed: int) -> None:
    chance = random.Random(seed)
    llmbatch.env["LLMBATCH_SPEND_STORE"] = str(llmbatch.folder / "spend")
    server = endpoint("--latency", "0.003", "--fault", f"{('hidden_output', 'total_usage')[seed % 2]}=100%")
    write_rows(llmbatch.folder / "docs.jsonl", documents(ROWS))
    cap_usd = chance.uniform(0.15, 0.9)
    limit = ("--max-cost", "--daily-budget")[seed // 2 % 2]
    command = ("classify", "docs.jsonl", "--base-url", server.url, "--out", "run", "--price", PRICE, *ARMS, "--json")
    capped = (
        *command,
        *(PACKED if seed % 2 else ()),
        limit,
        str(cap_usd),
        "--concurrency",
        str(chance.choice([1, 4, 16])),
    )
    with ThreadPoolExecutor(1) as pool:
        for lines in sorted(chance.sample(range(3, ROWS), chance.randint(1, 4))):
            _kill_at(lines, llmbatch.folder / "run", pool.submit(llmbatch, *capped))
    done = llmbatch(*capped)
    assert done.code in (0, 5), done.err
    usage, day = done.json["usage"], llmbatch("spend", "--json").json["total"]
    for totals in (usage, day):
        assert _billed_usd(server) <= totals["cost_usd"] + totals["possibly_billed_usd"] + 1e-9, (
            "a cost was not reported"
        )
        assert totals["cost_usd"] + totals["possibly_billed_usd"] <= cap_usd + 1e-9, "over the limit"
    if done.code == 5:
        assert usage["cost_usd"] + usage["possibly_billed_usd"] > cap_usd / 2, "most of it could be used"


def _billed_usd(server: Endpoint) -> float:
    stats = server.stats
    return float(stats["prompt_tokens"] + 5 * stats["completion_tokens"]) / 1_000_000


def _kill_at(lines: int, run: Path, running: "Future[Done]") -> None:
    """Kill the process that works on the folder once its ledger has this many lines, unless it ends before."""
    before, deadline = holder(run), time.monotonic() + 60
    while not running.done() and (ledger_lines(run) < lines or holder(run) in (None, before)):
        assert time.monotonic() < deadline
        time.sleep(0.001)
    working = holder(run)
    if not running.done() and working is not None:
        with suppress(ProcessLookupError):  # it may have ended just now
            os.kill(working, signal.SIGKILL)
    assert running.result().code in (-signal.SIGKILL, 0, 5)
