"""Helpers for tests of the Python API."""

import threading
from pathlib import Path
from typing import Any

from tests.e2e.program import ledger_lines, views

TEXTS = [f"The server crashed in case {n}." for n in range(300)]


def options(url: str, out: Path, **more: Any) -> dict[str, Any]:
    """The options of a run that takes a while, one request at a time."""
    return {"base_url": url, "out": out, "concurrency": 1, "review_below": 0, "max_cost": 10, **more}


def is_running() -> bool:
    """Whether a run's thread is alive."""
    return any(thread.name == "llmbatch-run" for thread in threading.enumerate())


def check_clean_end(folder: Path) -> int:
    """Check an interrupted run: no thread is left, and the files agree with the ledger. Returns the rows in it."""
    assert not is_running()
    results = views(folder)["results"]
    assert [row["row"] for row in results] == list(range(len(results)))
    assert len(results) == ledger_lines(folder)
    return len(results)
