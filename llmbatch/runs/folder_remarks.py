"""What to report about a run folder when a session begins on it."""

from urllib.parse import urlsplit

from llmbatch.core.checksum import FORMAT
from llmbatch.observe.events import EndpointChanged, Event, FolderMigrated, LogShrank
from llmbatch.runs.folder import RunFolder, RunRecord
from llmbatch.runs.outputs import basis_of_outputs, size_of


def migrated(record: RunRecord | None) -> tuple[Event, ...]:
    """Reports that an earlier version created the folder, once: the record is then written in the current format."""
    return () if record is None or record.format == FORMAT else (FolderMigrated(record.llmbatch),)


def elsewhere(record: RunRecord | None, endpoint: str) -> tuple[Event, ...]:
    """Reports that requests go to another host than in the previous session: documents may have to stay with one host.

    Args:
        record: of that session; None if there was none.
        endpoint: the current one, as in records.
    """
    if record is None or urlsplit(record.endpoint).hostname == urlsplit(endpoint).hostname:
        return ()
    return (EndpointChanged(endpoint, record.endpoint),)


def shrunk_logs(folder: RunFolder) -> tuple[Event, ...]:
    """Reports logs that are shorter than when the views were made from them: they were truncated or replaced."""
    basis = basis_of_outputs(folder.path)
    if basis is None:
        return ()
    then = {folder.ledger: basis.ledger_bytes, folder.decisions: basis.decisions_bytes}
    return tuple(LogShrank(str(log), size - size_of(log)) for log, size in then.items() if size_of(log) < size)
