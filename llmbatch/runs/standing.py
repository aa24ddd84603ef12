"""A run folder that a command is to look at."""

from pathlib import Path

from llmbatch.runs.folder import RunFolder, RunRecord, load_record
from llmbatch.runs.shards import Emit, merge_shards
from llmbatch.runs.trust import NO_TRUST, Trust


def standing_run(path: Path, emit: Emit = lambda _: None, trust: Trust = NO_TRUST) -> tuple[RunFolder, RunRecord]:
    """A run folder and its record. What the shards of the run have come to is in it by then.

    Args:
        path: the folder, of a whole run or of a shard.
        emit: called with what had to be mended.
        trust: what the user says about the folder.

    Raises:
        UsageError: this is no run folder, or a file in it is damaged.
        StorageFailed: what the shards have come to cannot be written.
    """
    folder = RunFolder(path)
    merge_shards(folder, emit, is_trusted=trust.is_given)
    record = load_record(folder)
    if record.shard is None:
        return folder, record
    return RunFolder(path, whole=path.absolute().parent), record
