"""Reserved disk space: there must be room for answers that are paid for, even when the disk is full.

While a run is in progress, there is a file of zeros in its folder. When there is no room for a ledger line, the file is
deleted, the line is written into the freed space, and nothing more is sent.
"""

import os
from contextlib import suppress
from pathlib import Path

from llmbatch.core.errors import StorageFailed
from llmbatch.core.files import open_file

_LINE_BYTES = 4096
"""Space for one row: a line is some 700 bytes, and up to six times that with a long answer in it."""


class Reserve:
    """Holds the space. It cannot prevent another process from using the space as soon as it is freed."""

    def __init__(self, path: Path, *, rows: int) -> None:
        """`rows` is how many rows may still end once nothing more is sent."""
        self.size = rows * _LINE_BYTES
        self._path = path
        self._is_held = False

    def take(self) -> None:
        """Reserve the space. A reserve that a killed session left behind is taken over.

        Raises:
            StorageFailed: the disk does not have this much space.
            UsageError: something else has the file's name.
        """
        try:
            fd = open_file(self._path, os.O_RDWR | os.O_CREAT)
            self._is_held = True
            try:
                os.posix_fallocate(fd, 0, self.size)  # the C library writes zeros if it is not supported
            finally:
                os.close(fd)
        except OSError as error:
            self.release()
            raise StorageFailed(
                f"{self._path}: cannot set aside the {self.size / 2**20:,.1f} MiB that answers in flight may need "
                f"({error.strerror}); nothing was sent",
                hint="make room, then run the same command again",
            ) from error

    def release(self) -> bool:
        """Free the space. Returns whether there was any."""
        was_held, self._is_held = self._is_held, False
        if was_held:
            with suppress(OSError):
                self._path.unlink()
        return was_held
