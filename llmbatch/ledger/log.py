"""The ledger: the one sink of the hot path, append-only.

Each line is one write to the operating system, so that a killed process loses nothing that it finished. Lines
are synced to the disk in groups, at most a second apart: a power cut risks that second, no more.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from llmbatch.errors import StorageFailed, UsageError
from llmbatch.ledger.index import KeyIndex
from llmbatch.ledger.line import FAILED, LedgerLine
from llmbatch.ledger.recover import cut_torn_tail, read_lines

_KEY_HEX_DIGITS = 16


Reread = Callable[[LedgerLine], LedgerLine]
"""What a line counts as when it is looked up."""


def as_written(line: LedgerLine) -> LedgerLine:
    """The line itself."""
    return line


class Ledger:
    """An open ledger: appends lines, and finds the latest line of a key."""

    def __init__(self, path: Path, fd: int, index: KeyIndex, size: int, reread: Reread) -> None:
        self.path = path
        self._reread = reread
        self._fd = fd
        self._index = index
        self._size = size
        self._unsynced = False

    @classmethod
    def open(
        cls, path: Path, *, on_line: Callable[[int, LedgerLine], None], reread: Reread = as_written
    ) -> "tuple[Ledger, Path | None]":
        """Open or create a ledger.

        Args:
            path: the file.
            on_line: called with the offset and content of each line that stands there already.
            reread: what a line is taken for when it is looked up, where it counts otherwise now than when written.

        Returns:
            The ledger, and the file that a torn tail was moved to, if there was one.

        Raises:
            UsageError: a line in the middle is damaged.
        """
        torn = cut_torn_tail(path)
        index = _indexed(path, on_line)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        return cls(path, fd, index, os.fstat(fd).st_size, reread), torn

    @classmethod
    def open_to_read(
        cls, path: Path, *, on_line: Callable[[int, LedgerLine], None], reread: Reread = as_written
    ) -> "Ledger":
        """Open a ledger that another process may be appending to; nothing can be added. Arguments as for `open`.

        Raises:
            UsageError: there is none, or a line in it is damaged.
        """
        index = _indexed(path, on_line)
        try:
            fd = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            raise UsageError(f"{path}: there is no ledger yet", hint="run llmbatch classify first") from None
        return cls(path, fd, index, os.fstat(fd).st_size, reread)

    @property
    def size(self) -> int:
        """Bytes that whole lines take."""
        return self._size

    def append(self, line: LedgerLine) -> None:
        """Add a line.

        Raises:
            StorageFailed: it could not be written whole; what was written of it is cut off again.
        """
        raw = line.to_bytes()
        try:
            written = os.write(self._fd, raw)
        except OSError as error:
            self._cut_back()
            raise self._failure("write", error.strerror) from error
        if written != len(raw):
            self._cut_back()
            raise self._failure("write", "the disk is full")
        self._index[_short(line.key)] = _packed(self._size, line)
        self._size += len(raw)
        self._unsynced = True

    def sync(self) -> None:
        """Bring what was appended to the disk; blocks, so call it off the event loop.

        Raises:
            StorageFailed: the disk did not take it; what it holds is unknown from the last good sync on.
        """
        if not self._unsynced:
            return
        self._unsynced = False
        try:
            os.fsync(self._fd)
        except OSError as error:
            raise self._failure("sync", error.strerror) from error

    def is_done(self, key: str) -> bool:
        """Whether the key's latest outcome is final and no failure."""
        packed = self._index.get(_short(key))
        return packed is not None and not packed & 1

    def was_written_since(self, key: str, offset: int) -> bool:
        """Whether the key's latest line stands at or behind `offset`."""
        packed = self._index.get(_short(key))
        return packed is not None and packed >> 1 >= offset

    def latest(self, key: str) -> LedgerLine | None:
        """The key's latest line, or None."""
        packed = self._index.get(_short(key))
        if packed is None:
            return None
        line = LedgerLine.from_bytes(self._line_at(packed >> 1))
        return self._reread(line) if line.key == key else None

    def close(self) -> None:
        """Sync and close."""
        try:
            self.sync()
        finally:
            os.close(self._fd)

    def _line_at(self, offset: int) -> bytes:
        chunk = os.pread(self._fd, _LIKELY_LINE, offset)
        while b"\n" not in chunk:
            more = os.pread(self._fd, len(chunk), offset + len(chunk))
            if not more:
                break
            chunk += more
        return chunk[: chunk.index(b"\n") + 1]

    def _failure(self, what: str, why: str | None) -> StorageFailed:
        return StorageFailed(
            f"{self.path}: cannot {what} ({why})",
            hint="make room, then run the same command again: it goes on where it stood",
        )

    def _cut_back(self) -> None:
        with suppress(OSError):  # else the next opening cuts the torn tail
            os.ftruncate(self._fd, self._size)


_LIKELY_LINE = 2048


def _indexed(path: Path, on_line: Callable[[int, LedgerLine], None]) -> KeyIndex:
    index = KeyIndex()
    for offset, line in read_lines(path):
        index[_short(line.key)] = _packed(offset, line)
        on_line(offset, line)
    return index


def _short(key: str) -> int:
    return int(key[:_KEY_HEX_DIGITS], 16)


def _packed(offset: int, line: LedgerLine) -> int:
    return offset << 1 | (line.status == FAILED)
