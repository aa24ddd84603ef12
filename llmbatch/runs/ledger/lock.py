"""One process per run folder. The kernel holds the lock, so a dead process leaves none behind."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from llmbatch.core.errors import FolderBusy
from llmbatch.core.files import open_file, open_to_read, storage_failure, storing

_NAME = ".lock"


def is_locked(folder: Path) -> bool:
    """Whether a live process is working on the folder. Writes nothing."""
    try:
        with open_to_read(folder / _NAME) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock.

    Raises:
        FolderBusy: a live process holds it; the message names that process.
        StorageFailed: the lock file cannot be created.
        UsageError: something else has its name.
    """
    path = folder / _NAME
    with storing(path):
        fd = open_file(path, os.O_RDWR | os.O_CREAT)
    try:
        try:
            _take(fd)
        except BlockingIOError:
            holder = os.read(fd, 200).decode("utf-8", "replace").strip() or "another process"
            raise FolderBusy(
                f"{folder}: {holder} is using this run folder",
                hint="wait until it ends, or use another folder for this run: --out",
            ) from None
        except OSError as error:
            raise storage_failure(path, error) from error
        with suppress(OSError):  # on a full disk, the message to the second process lacks the name
            os.truncate(fd, 0)
            os.pwrite(fd, f"process {os.getpid()}, started {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ},".encode(), 0)
        process = os.getpid()
        try:
            yield
        finally:
            if os.getpid() == process:  # a fork, which also has the descriptor, must neither end nor prolong the lock
                fcntl.flock(fd, fcntl.LOCK_UN)
    finally:
        os.close(fd)


def _take(fd: int) -> None:
    """Take the exclusive lock. A process that only checks for a holder, as `is_locked` does, blocks it for a moment.

    Raises:
        BlockingIOError: a live process holds it.
    """
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)  # compatible with processes that only check
            fcntl.flock(fd, fcntl.LOCK_UN)
        else:
            return
