"""`review import` killed at any call on the run folder: the next command on it finds the decisions in the results."""

import shutil
import signal
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import StartEndpoint
from tests.e2e.forked import DIES_AT
from tests.e2e.program import Program, documents, read_rows, write_rows
from tests.thorough import IS_TORTURE
from tests.torture.strike import KILL, MISSING, SHORT, Strike, strike

CALLS = ("openat", "write", "fsync", "rename", "flock")
OPENERS = (
    ("show", "run"),
    ("review", "status", "run"),
    ("review", "import", "run", "decided.jsonl", "--reviewer", "ana"),
)
ROWS = 4

pytestmark = pytest.mark.timeout(1800)


@pytest.mark.skipif(not IS_TORTURE, reason="a part of make torture")
@pytest.mark.skipif(MISSING is not None, reason=str(MISSING))
@pytest.mark.parametrize("call", CALLS)
def test_decisions_reach_the_results_wherever_the_import_is_killed(
    llmbatch: Program, endpoint: StartEndpoint, call: str
) -> None:
    def killed(nth: int) -> bool:
        return strike(llmbatch.folder, "run", OPENERS[-1], Strike(call, KILL, nth), program=SHORT).hit

    _check_every(killed, llmbatch, endpoint)


def test_decisions_reach_the_results_if_killed_before_or_after_any_rename(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    def killed(nth: int) -> bool:
        dies: dict[str, Any] = {DIES_AT: f"{nth} rename replace"}
        return llmbatch(*OPENERS[-1], **dies).code == -signal.SIGKILL

    _check_every(killed, llmbatch, endpoint)


def _check_every(killed: Callable[[int], bool], llmbatch: Program, endpoint: StartEndpoint) -> None:
    """Kill an import at each place in turn, from 1, until it ends before the kill, and open the run each time."""
    write_rows(llmbatch.folder / "docs.jsonl", documents(ROWS))
    before, run = llmbatch.folder / "before", llmbatch.folder / "run"
    done = llmbatch(
        "classify",
        "docs.jsonl",
        "--base-url",
        endpoint().url,
        "--out",
        "before",
        "--review-below",
        "0",
        "--sample",
        "50%",
    )
    assert done.code == 0, done.err
    write_rows(llmbatch.folder / "decided.jsonl", [{"id": f"d-{n}", "decision": "other"} for n in range(ROWS)])
    for nth in count(1):
        shutil.rmtree(run, ignore_errors=True)
        shutil.copytree(before, run)
        is_killed = killed(nth)
        saved = len(read_rows(run / "decisions.jsonl")) if _is_whole(run / "decisions.jsonl") else 0
        opener = OPENERS[nth % len(OPENERS)] if is_killed else OPENERS[0]
        opened = llmbatch(*opener)
        assert opened.code == 0, (nth, opened.err)
        expected = ROWS if opener is OPENERS[-1] or not is_killed else saved
        assert _decided(run) == expected, (nth, opener)
        if not is_killed:
            break
    assert nth > 1, "no kill took effect"


def _is_whole(path: Path) -> bool:
    return path.exists() and path.read_bytes().endswith(b"\n")


def _decided(run: Path) -> int:
    return sum(row.get("decided_by") == "human" for row in read_rows(run / "results.jsonl"))
