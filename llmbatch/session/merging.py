"""Merges a run's shards into one run."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from llmbatch.core.errors import ExitCode, UsageError
from llmbatch.engine.tally import LedgerTotals
from llmbatch.observe.events import Event
from llmbatch.observe.observer import Observer
from llmbatch.observe.summary import Summary, summary_json
from llmbatch.runs.folder import RunFolder, load_record
from llmbatch.runs.ledger.lock import locked
from llmbatch.runs.ledger.recover import read_lines
from llmbatch.runs.options import Tolerance
from llmbatch.runs.shards import shard_folders, waiting_shards, whole_locked
from llmbatch.runs.trust import NO_TRUST, Trust
from llmbatch.session.settlement import in_flight_nanousd
from llmbatch.session.standing import export_run


def merge_run(path: Path, observer: Observer, tolerance: Tolerance, *, trust: Trust = NO_TRUST) -> Summary:
    """Merge the outcomes of a run's shards into its own folder, and write its outputs. Can be done at any time.

    Args:
        path: the run folder, which contains the shards' folders.
        observer: notified of events.
        tolerance: how many rows may fail.
        trust: how far the user trusts the folder.

    Returns:
        The summary of the whole run. Its exit code is 7 while rows are pending, 3 if too many have failed.

    Raises:
        UsageError: there are no shards, the input can no longer be read, or a file is damaged.
        FolderBusy: another process works on the whole run.
    """
    folder = RunFolder(path)
    if not shard_folders(folder):
        raise UsageError(f"{path} has no shards", hint="name the folder that classify --shard created: INPUT.llmbatch")
    if load_record(folder).is_foreign and not trust.is_given:
        raise UsageError(
            f"{path}: llmbatch did not create this folder for you on this machine",
            hint="use --trust if you know who created its shards",
        )
    summary = export_run(path, observer=observer, trust=trust)
    with locked(path):
        load_record(folder).updated(totals=summary_json(summary)).save(folder)
    rows = summary.rows
    if rows.undone:
        waiting = "; ".join(waiting_shards(folder))
        notes = (*summary.notes, f"Shards {waiting}.") if waiting else summary.notes
        return replace(summary, exit_code=int(ExitCode.LATER), notes=notes)
    is_good = tolerance.allows(rows.failed + rows.rejected, rows.total)
    return replace(summary, exit_code=int(ExitCode.OK if is_good else ExitCode.ROWS_FAILED))


def spent_so_far(path: Path, emit: Callable[[Event], None]) -> int:
    """What a run and its shards have cost, and may have cost, nano-dollars; 0 if there is no run yet.

    Raises:
        FolderBusy: another process works on the run or on a shard.
        UsageError: a ledger is damaged.
        StorageFailed: the shards' lines cannot be taken over.
    """
    whole = RunFolder(path)
    if not whole.run_json.exists():
        return 0
    with whole_locked(whole, emit):
        return spent_by_lines(whole)


def spent_by_lines(whole: RunFolder) -> int:
    """The same, once the shards' lines are in the run's own ledger; the caller keeps others from changing it.

    Raises:
        UsageError: the ledger is damaged.
    """
    record, totals = load_record(whole), LedgerTotals()
    for _, line in read_lines(whole.ledger):
        totals.add(line)
    folders = (whole, *shard_folders(whole).values())
    in_flight = sum(in_flight_nanousd(folder, record.possibly_billed) for folder in folders)
    killed = sum(session.at_most_nanousd for session in record.possibly_billed.values())
    return totals.usage.most_nanousd + killed + in_flight
