"""Who looks at which row: two reviewers on one folder are not shown the same one.

A claim is the kernel's lock on one byte of a file, the row's number its place. So it is gone when its process is, and
nothing is ever written.
"""

import fcntl
import os
from pathlib import Path

from llmbatch.core.errors import UsageError
from llmbatch.core.files import open_file


class Claims:
    """The row that this process looks at, made known to others on the folder."""

    def __init__(self, folder: Path) -> None:
        """Claim nothing yet.

        Raises:
            UsageError: the folder cannot be written to, so that no decision could be kept there either.
        """
        try:
            self._fd = open_file(folder / ".reviewing", os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise UsageError(
                f"{folder}: cannot be written to ({error.strerror})", hint="decisions are kept in the run folder"
            ) from None
        self._row: int | None = None

    def take(self, row: int) -> bool:
        """Let go of the row claimed before and claim this one; false where another process has it."""
        if row == self._row:
            return True
        self.release()
        try:
            fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, row)
        except (BlockingIOError, PermissionError):  # what a held lock is called differs
            return False
        except OSError:
            return True  # a file system without such locks: the log still keeps both decisions
        self._row = row
        return True

    def release(self) -> None:
        """Let go of the row claimed, if any."""
        if self._row is not None:
            fcntl.lockf(self._fd, fcntl.LOCK_UN, 1, self._row)
            self._row = None

    def close(self) -> None:
        """Let go of everything."""
        os.close(self._fd)
