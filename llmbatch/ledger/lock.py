"""One process per run folder. The kernel holds the lock, so a dead process leaves none behind."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from llmbatch.errors import FolderBusy


def is_locked(folder: Path) -> bool:
    """Whether a live process works on the folder."""
    try:
        with locked(folder):
            return False
    except FolderBusy:
        return True


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock.

    Raises:
        FolderBusy: a live process holds it; the message names that process.
    """
    path = folder / ".lock"
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(fd, 200).decode("utf-8", "replace").strip() or "another process"
            raise FolderBusy(
                f"{folder}: {holder} works on this run folder",
                hint="wait until it ends, or give this run a folder of its own with --out",
            ) from None
        os.truncate(fd, 0)
        os.pwrite(fd, f"process {os.getpid()}, started {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ},".encode(), 0)
        yield
    finally:
        os.close(fd)
