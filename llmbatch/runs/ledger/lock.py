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
    """Whether a live process works on the folder. Writes nothing."""
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
        StorageFailed: the lock's file cannot be made.
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
        with suppress(OSError):  # on a full disk the second process is refused without a name
            os.truncate(fd, 0)
            os.pwrite(fd, f"process {os.getpid()}, started {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ},".encode(), 0)
        process = os.getpid()
        try:
            yield
        finally:
            if os.getpid() == process:  # a fork, which has the descriptor too, neither ends the lock nor prolongs it
                fcntl.flock(fd, fcntl.LOCK_UN)
    finally:
        os.close(fd)


def _take(fd: int) -> None:
    """Take the exclusive lock. A process that only checks for a holder, as `is_locked` does, is gone in a moment.

    Raises:
        BlockingIOError: a live process holds it.
    """
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)  # which goes together with those that look
            fcntl.flock(fd, fcntl.LOCK_UN)
        else:
            return
