"""Claims on rows, so that two reviewers of one folder are not shown the same row.

A claim is an OS lock on one byte of a file, at the offset of the row's number. It therefore disappears with its
process, and nothing is ever written.
"""

import fcntl
import os
from pathlib import Path

from llmbatch.core.errors import UsageError
from llmbatch.core.files import open_file


class Claims:
    """The row that this process has open, visible to other processes on the folder."""

    def __init__(self, folder: Path) -> None:
        """Claim nothing yet.

        Raises:
            UsageError: the folder is not writable, so decisions could not be saved there either.
        """
        try:
            self._fd = open_file(folder / ".reviewing", os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise UsageError(
                f"{folder}: cannot be written to ({error.strerror})", hint="decisions are saved in the run folder"
            ) from None
        self._row: int | None = None

    def take(self, row: int) -> bool:
        """Release the current claim and claim this row; false if another process has it."""
        if row == self._row:
            return True
        self.release()
        try:
            fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, row)
        except (BlockingIOError, PermissionError):  # the error for a held lock differs by platform
            return False
        except OSError:
            return True  # a file system without such locks: the log still keeps both decisions
        self._row = row
        return True

    def release(self) -> None:
        """Release the claimed row, if any."""
        if self._row is not None:
            fcntl.lockf(self._fd, fcntl.LOCK_UN, 1, self._row)
            self._row = None

    def close(self) -> None:
        """Release the claim and close the file."""
        os.close(self._fd)
