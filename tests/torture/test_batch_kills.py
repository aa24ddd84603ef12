"""After a kill at any step of submitting and collecting batches, a rerun resumes: nothing is lost or paid twice."""

import shutil
import signal
import sys
from itertools import count
from typing import Any

import pytest

from tests.e2e.batches import IMPATIENT
from tests.e2e.conftest import StartEndpoint
from tests.e2e.forked import DIES_AT
from tests.e2e.program import Endpoint, Program, documents, write_rows
from tests.ledgers import ledger_rows
from tests.thorough import IS_TORTURE

ROWS, CAP = 9, 0.004
FAULTS = ("batch_expire@1", "batch_line_double@2", "batch_line_lost@3,6", "rate_limit@5", "invented@4")
"""A first part that expires half done; a duplicate line, lost lines that are billed, a refused line, and an unusable
answer."""
QUICK = (20, 35, 50, 65, 80, 110)
ARMS = (
    "--canary-model",
    "gpt-4o-mini",
    "--canary-share",
    "50%",
    "--escalate-to",
    "gpt-6-sol",
    "--review-below",
    "100%",
)
"""A canary next to the run's own model, and a stronger model for all their answers."""
OF_ARMS = ("--fault", "batch_expire@2", "--fault", "invented@14")

pytestmark = pytest.mark.timeout(1800)


@pytest.mark.parametrize("step", QUICK)
def test_a_killed_batch_run_resumes(llmbatch: Program, endpoint: StartEndpoint, step: int) -> None:
    assert resumed_after_a_kill(llmbatch, endpoint(*(part for fault in FAULTS for part in ("--fault", fault))), step)


@pytest.mark.parametrize("step", [90, 140, 190])
def test_a_killed_batch_run_with_several_arms_resumes(llmbatch: Program, endpoint: StartEndpoint, step: int) -> None:
    assert resumed_after_a_kill(llmbatch, endpoint(*OF_ARMS), step, *ARMS)


@pytest.mark.skipif(not IS_TORTURE, reason="a part of make torture")
def test_a_batch_run_killed_at_any_step_resumes(
    llmbatch: Program, endpoint: StartEndpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = 0
    for step in count(1):
        served = endpoint(*(part for fault in FAULTS for part in ("--fault", fault)))
        if not resumed_after_a_kill(llmbatch, served, step):
            break
        steps = step
    with capsys.disabled():
        sys.stderr.write(f"batches, SIGKILL: {steps} steps\n")


def resumed_after_a_kill(llmbatch: Program, served: Endpoint, step: int, *options: str) -> bool:
    """Kill a run at a step, run the same command again, and check the outcome. False if it ended before the step."""
    for left in llmbatch.folder.iterdir():
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    write_rows(llmbatch.folder / "docs.jsonl", documents(ROWS))
    cap = str(CAP if not options else CAP * 20)
    command = ("classify", "docs.jsonl", "--json", "--base-url", served.url, "--max-cost", cap, "--daily-budget", cap)
    batches = (*options, "--batch", "--batch-size", "4", "--batch-wait", "1h", "--yes")
    dies: dict[str, Any] = {DIES_AT: str(step)}
    code = llmbatch(*command, *batches, **IMPATIENT, **dies).code
    if code == 0:
        return False
    assert code == -signal.SIGKILL, step
    done = llmbatch(*command, *batches, **IMPATIENT)
    assert done.code == 0, f"killed at step {step}, then: {done.err}"
    usage, stats, rows = done.json["usage"], served.stats, done.json["rows"]
    assert rows["ok"] + rows["review"] == ROWS, step
    counted = usage["requests"] + usage["possibly_billed_requests"]
    assert stats["statuses"].get("200", 0) == counted, f"paid twice or not counted, killed at step {step}"
    if not options:
        lines = ledger_rows(llmbatch.folder / "docs.llmbatch" / "ledger.jsonl")
        keys = [line["key"] for line in lines if line["status"] == "ok"]
        assert len(keys) == len(set(keys)) == ROWS, step
        lost, unusable = (stats["faults"].get(kind, 0) for kind in ("batch_line_lost", "invented"))
        assert usage["requests"] == ROWS + unusable, step
        assert usage["possibly_billed_requests"] == lost, step
    assert usage["cost_usd"] + usage["possibly_billed_usd"] <= float(cap), step
    spent = llmbatch("spend", "--json", **IMPATIENT).json
    assert spent["total"]["cost_usd"] == pytest.approx(usage["cost_usd"]), f"killed at step {step}"
    assert spent["notes"] == [], f"killed at step {step}"
    assert not (llmbatch.folder / "docs.llmbatch" / "batches").exists(), step
    return True
