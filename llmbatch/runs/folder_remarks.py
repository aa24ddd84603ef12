"""What to report about a run folder when a session begins on it."""

from urllib.parse import urlsplit

from llmbatch.core.checksum import FORMAT
from llmbatch.observe.events import EndpointChanged, Event, FolderMigrated, LogShrank
from llmbatch.runs.folder import RunFolder, RunRecord
from llmbatch.runs.outputs import basis_of_outputs, size_of


def migrated(record: RunRecord | None) -> tuple[Event, ...]:
    """That an earlier version made the folder: said once, since the record is then written in the present format."""
    return () if record is None or record.format == FORMAT else (FolderMigrated(record.llmbatch),)


def elsewhere(record: RunRecord | None, endpoint: str) -> tuple[Event, ...]:
    """That another host is asked than in the session before: documents that were to stay with one would leave it.

    Args:
        record: of that session; None where there was none.
        endpoint: what is asked now, as records have it.
    """
    if record is None or urlsplit(record.endpoint).hostname == urlsplit(endpoint).hostname:
        return ()
    return (EndpointChanged(endpoint, record.endpoint),)


def shrunk_logs(folder: RunFolder) -> tuple[Event, ...]:
    """The logs that are shorter than when the views were made of them: they were cut or replaced."""
    basis = basis_of_outputs(folder.path)
    if basis is None:
        return ()
    then = {folder.ledger: basis.ledger_bytes, folder.decisions: basis.decisions_bytes}
    return tuple(LogShrank(str(log), size - size_of(log)) for log, size in then.items() if size_of(log) < size)
