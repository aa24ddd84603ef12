"""System errors in one line: a file that cannot be opened, or a limit that is reached, is not a bug."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llmbatch.core.errors import LLMBatchError, StorageFailed, UsageError

_LIMITS = {
    errno.EMFILE: "ulimit -n",
    errno.ENFILE: "fs.file-max",
    errno.EAGAIN: "ulimit -u",
    errno.ENOMEM: "ulimit -v",
}
_STORAGE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
_NO_THREAD = "can't start new thread"
_LINK_LOOP = "Symlink loop"
"""CPython's messages for errors without a class of their own; the second up to 3.12."""
_LONGEST_NAME = 200


def refusal(error: BaseException) -> LLMBatchError | None:
    """A system error as an `LLMBatchError`; None if the error is a bug."""
    match error:
        case OSError() if error.errno in _LIMITS:
            return _limit(f"{_named(error)}{error.strerror}", _LIMITS[error.errno])
        case OSError() if error.errno in _STORAGE:
            return StorageFailed(f"{_named(error)}{error.strerror}", hint="check the disk, then run the same command")
        case OSError() if error.filename is not None:
            return UsageError(f"{_named(error)}{error.strerror}")
        case FileNotFoundError() if not _has_current_folder():
            return UsageError("the current folder no longer exists", hint="cd to another folder")
        case MemoryError():
            return _limit("there is not enough memory", "ulimit -v")
        case RuntimeError() if _NO_THREAD in str(error):
            return _limit("no thread can be started", "ulimit -u")
        case RuntimeError() if str(error).startswith(_LINK_LOOP):
            return UsageError(str(error))
        case _:
            return None


@contextmanager
def refusals_as_errors() -> Iterator[None]:
    """Raise system errors as `LLMBatchError`, for callers in Python."""
    try:
        yield
    except OSError as error:
        refused = refusal(error)
        if refused is None:
            raise
        raise refused from error


def _limit(message: str, limit: str) -> StorageFailed:
    return StorageFailed(message, hint=f"raise the limit of this process or its user ({limit}), then run it again")


def _has_current_folder() -> bool:
    try:
        return bool(Path.cwd())
    except FileNotFoundError:
        return False


def _named(error: OSError) -> str:
    """The file that the error is about, without the middle of a long name."""
    if error.filename is None or isinstance(error.filename, int):
        return ""
    name = os.fsdecode(error.filename)
    half = _LONGEST_NAME // 2
    return f"{name if len(name) <= _LONGEST_NAME else f'{name[:half]}…{name[-half:]}'}: "
