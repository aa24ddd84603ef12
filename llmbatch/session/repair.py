"""Repairs a run folder whose logs another program has written to."""

from dataclasses import dataclass
from pathlib import Path

from llmbatch.core.checksum import FORMAT
from llmbatch.core.files import storing
from llmbatch.runs.decisions import Decision
from llmbatch.runs.folder import RunFolder, load_record
from llmbatch.runs.ledger.lock import locked
from llmbatch.runs.ledger.recover import Salvaged, cut_torn_tail, salvage, salvage_ledger


@dataclass(frozen=True, slots=True)
class Repair:
    """What was moved out of a run folder's logs."""

    folder: Path
    ledger: Salvaged | None
    decisions: Salvaged | None
    torn: tuple[Path, ...]
    """Files with torn ends of logs after a crash."""
    command: str
    """The command that sends the rows of damaged lines again."""


def repair_run(path: Path) -> Repair:
    """Move the damaged lines of a run folder's ledger and decisions aside. Nothing is sent.

    Raises:
        UsageError: it is not a run folder, or a line is of a newer format.
        FolderBusy: another process works on the folder.
        StorageFailed: the disk fails.
    """
    folder = RunFolder(path)
    record = load_record(folder)
    with locked(folder.path), storing(folder.path):
        torn = [cut_torn_tail(log) for log in (folder.ledger, folder.decisions)]
        return Repair(
            folder.path,
            salvage_ledger(folder.ledger),
            salvage(
                folder.decisions,
                newest=FORMAT,
                read=lambda record, _: Decision.from_record(record),
                write=Decision.to_bytes,
            ),
            tuple(one for one in torn if one is not None),
            record.command,
        )
