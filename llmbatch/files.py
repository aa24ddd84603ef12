"""Files that are private to their user, that are there whole or not at all, and that outlast a power cut."""

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TextIO

from llmbatch.errors import StorageFailed

_PRIVATE = 0o600


def open_private(path: Path) -> BinaryIO:
    """Open a file for writing anew, readable by its user only."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PRIVATE), "wb")


def append_private(path: Path) -> TextIO:
    """Open a text file to append lines to; where it is made, it is readable by its user only."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, _PRIVATE), "a", encoding="utf-8")


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Write a file beside `path` and rename it into place when the block ends without an error.

    A reader sees the old file or the new one, never half of either, also after a power cut: the content is
    synced before the rename, and the folder after it.
    """
    with replacing_together({"": path}) as files:
        yield files[""]


@contextmanager
def replacing_together(paths: Mapping[str, Path]) -> Iterator[dict[str, BinaryIO]]:
    """As `replacing`, for files of one folder that belong together, by name: none is replaced before all are whole."""
    beside = {name: path.with_name(f".{path.name}.new") for name, path in paths.items()}
    files: dict[str, BinaryIO] = {}
    try:
        for name, new in beside.items():
            files[name] = open_private(new)
        yield files
        for file in files.values():
            file.flush()
            os.fsync(file.fileno())
            file.close()
        for name, new in beside.items():
            new.replace(paths[name])
    except BaseException:
        for name, file in files.items():
            with suppress(OSError):  # what could not be written cannot be flushed either
                file.close()
            with suppress(OSError):
                beside[name].unlink(missing_ok=True)
        raise
    for folder in {path.parent for path in paths.values()}:
        sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Bring a folder's names to the disk: a file that was made or renamed in it can else be gone after a power cut."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some file systems cannot, and keep their names in other ways
            raise
    finally:
        os.close(fd)


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """For work on files of our own: what the system refuses is told as what it is, and what to do then.

    Raises:
        StorageFailed: instead of an OSError; `path` is named where the error names no file.
    """
    try:
        yield
    except OSError as error:
        raise storage_failure(error.filename or path, error) from error


def storage_failure(path: Path | str, error: OSError, *, kept: str = "") -> StorageFailed:
    """What is told when a file of ours cannot be written.

    Args:
        path: the file.
        error: what the system said.
        kept: what became of the rows, where that is not clear.
    """
    is_full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return StorageFailed(
        f"{path}: cannot write ({error.strerror}){kept}",
        hint=("make room" if is_full else "see to the disk and the file's permissions")
        + ", then run the same command again: it goes on where it stood",
    )
