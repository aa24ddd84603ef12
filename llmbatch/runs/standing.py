"""Opens a run folder for a command that reads it."""

from pathlib import Path

from llmbatch.runs.folder import RunFolder, RunRecord, load_record
from llmbatch.runs.shards import Emit, merge_shards
from llmbatch.runs.trust import NO_TRUST, Trust


def standing_run(path: Path, emit: Emit = lambda _: None, trust: Trust = NO_TRUST) -> tuple[RunFolder, RunRecord]:
    """A run folder and its record, after its shards have been merged.

    Args:
        path: the folder, of a whole run or of a shard.
        emit: called with repairs that were made.
        trust: how far the user trusts the folder.

    Raises:
        UsageError: this is not a run folder, or a file in it is damaged.
        StorageFailed: the merged lines cannot be written.
    """
    folder = RunFolder(path)
    merge_shards(folder, emit, is_trusted=trust.is_given)
    record = load_record(folder)
    if record.shard is None:
        return folder, record
    return RunFolder(path, whole=path.absolute().parent), record
