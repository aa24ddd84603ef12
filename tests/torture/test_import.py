"""`review import` killed at any call on the run folder: whoever opens it then finds the decisions in the results."""

import shutil
from itertools import count
from pathlib import Path

import pytest

from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Program, documents, read_rows, write_rows
from tests.torture.strike import EVERYTHING, KILL, MISSING, SHORT, Strike, strike

CALLS = ("openat", "write", "fsync", "rename", "flock") if EVERYTHING else ("rename",)
OPENERS = (
    ("show", "run"),
    ("review", "status", "run"),
    ("review", "import", "run", "decided.jsonl", "--reviewer", "ana"),
)
ROWS = 4

pytestmark = [pytest.mark.skipif(MISSING is not None, reason=str(MISSING)), pytest.mark.timeout(1800)]


@pytest.mark.parametrize("call", CALLS)
def test_decisions_reach_the_results_wherever_their_import_was_killed(
    llmbatch: Program, endpoint: StartEndpoint, call: str
) -> None:
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
        struck = strike(llmbatch.folder, "run", OPENERS[-1], Strike(call, KILL, nth), program=SHORT)
        saved = len(read_rows(run / "decisions.jsonl")) if _is_whole(run / "decisions.jsonl") else 0
        opener = OPENERS[nth % len(OPENERS)] if struck.hit else OPENERS[0]
        opened = llmbatch(*opener)
        assert opened.code == 0, (nth, opened.err)
        expected = ROWS if opener is OPENERS[-1] or not struck.hit else saved
        assert _decided(run) == expected, (call, nth, opener)
        if not struck.hit:
            break
    assert nth > 1, "nothing was struck"


def _is_whole(path: Path) -> bool:
    return path.exists() and path.read_bytes().endswith(b"\n")


def _decided(run: Path) -> int:
    return sum(row.get("decided_by") == "human" for row in read_rows(run / "results.jsonl"))
