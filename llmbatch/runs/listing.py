"""The run folders below a folder, by their records: none is locked or changed."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llmbatch.core.errors import UsageError
from llmbatch.core.files import open_to_read
from llmbatch.observe.listing import KILLED, RUNNING, UNREADABLE, ListedRun, Listing
from llmbatch.runs.accuracy import known_accuracy
from llmbatch.runs.folder import RunFolder, RunRecord, load_record
from llmbatch.runs.shards import is_in_progress

_MOST_FOLDERS = 50_000
"""How many folders are examined: enough for a home directory."""
_NOT_ENTERED = frozenset({"node_modules", "__pycache__", "site-packages"})
_BLOCK = 1 << 20


def list_runs(root: Path) -> Listing:
    """Find the run folders in a folder and below. Links are not followed, hidden folders are skipped.

    Raises:
        UsageError: there is no such folder.
    """
    if not root.is_dir():
        raise UsageError(f"{root}: no such folder")
    looked = 0
    runs = []
    for looked, path in enumerate(run_paths(root), start=1):
        if path is not None and (run := _listed(path)) is not None:
            runs.append(run)
        if looked >= _MOST_FOLDERS:
            break
    runs.sort(key=lambda run: (run.updated_at or "", run.folder))
    return Listing(tuple(runs), looked < _MOST_FOLDERS)


def run_paths(root: Path) -> Iterator[Path | None]:
    """Each folder that is examined: a run folder, or None for another one."""
    for here, below, files in os.walk(root):
        if "run.json" in files:
            below.clear()
            yield Path(here)
            continue
        below[:] = sorted(name for name in below if not name.startswith(".") and name not in _NOT_ENTERED)
        yield None


def _listed(path: Path) -> ListedRun | None:
    """What is known about a folder; None if its `run.json` is another program's."""
    folder = RunFolder(path)
    try:
        record = load_record(folder)
        state = _state(folder, record)
        outcomes = _lines(folder.ledger) if state in (RUNNING, KILLED) else None
    except (UsageError, OSError) as error:
        problem = error.message if isinstance(error, UsageError) else str(error)
        return ListedRun(str(path), UNREADABLE, problem=problem) if folder.ledger.exists() else None
    totals: dict[str, Any] = record.totals or {}
    rows, usage = totals.get("rows", {}), totals.get("usage", {})
    return ListedRun(
        folder=str(path),
        state=state,
        updated_at=record.updated_at,
        task=record.task.name,
        model=record.model,
        offline=record.offline,
        rows=rows.get("total"),
        labelled=rows.get("ok"),
        review=rows.get("review"),
        failed=rows["failed"] + rows["rejected"] if rows else None,
        pending=rows.get("undone"),
        outcomes=outcomes,
        cost_usd=usage.get("cost_usd"),
        accuracy=known_accuracy(folder),
    )


def _state(folder: RunFolder, record: RunRecord) -> str:
    if is_in_progress(folder):
        return RUNNING
    return KILLED if record.state == RUNNING else record.state


def _lines(path: Path) -> int:
    try:
        with open_to_read(path) as file:
            return sum(block.count(b"\n") for block in iter(lambda: file.read(_BLOCK), b""))
    except FileNotFoundError:
        return 0
