"""Determines whether a session is still alive, by an OS lock, which is released however its process ends."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from llmbatch.core.errors import UsageError
from llmbatch.core.files import open_file


class SignOfLife(Protocol):
    """Evidence of whether a session is alive."""

    def take_over(self) -> bool:
        """Take over a dead session to settle it. False if it is alive, or nothing can be proven."""

    def is_held(self) -> bool:
        """Whether the session may be alive."""

    def release(self) -> None:
        """Let go."""

    def remove(self) -> None:
        """The session is over and settled: nothing is kept of it."""


class Unproven:
    """A session in a store shared between machines, where no lock ends with its process.

    It is settled by the next holder of its run folder's lock, which proves that it is dead.
    """

    def take_over(self) -> bool:
        """Return False: no process can prove that the session is dead."""
        return False

    def is_held(self) -> bool:
        """Return True: the session may be alive."""
        return True

    def release(self) -> None:
        """Do nothing: no lock is held."""

    def remove(self) -> None:
        """Do nothing: there is no lock file."""


class SessionLock:
    """The lock of one session. Another process that acquires it knows that the session is dead, and may settle it."""

    def __init__(self, folder: Path, session: str) -> None:
        self._path = folder / session
        self._fd: int | None = None

    def take(self) -> None:
        """Take a new session's own lock.

        Raises:
            OSError: it cannot be created.
        """
        self._path.parent.mkdir(mode=0o700, exist_ok=True)
        self._fd = open_file(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        fcntl.flock(self._fd, fcntl.LOCK_EX)

    def take_over(self) -> bool:
        """Take a dead session's lock. False if it is alive, or if its file is gone and nothing can be proven."""
        try:
            fd = open_file(self._path, os.O_RDWR)
        except (OSError, UsageError):
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(fd)
            return False
        self._fd = fd
        return True

    def is_held(self) -> bool:
        """Whether a live process holds it."""
        if self.take_over():
            self.release()
            return False
        return self._path.exists()

    def release(self) -> None:
        """Let go."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def remove(self) -> None:
        """Remove the lock file of a settled session."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
        self.release()
