"""The ledger: the only sink of the hot path, append-only.

Each line is one write to the operating system, so a killed process loses nothing that it finished. Lines are synced to
the disk in groups, at most a second apart: a power cut loses at most that second.

The first write or sync that fails is kept as the ledger's `trouble`: from then on nothing more may be sent. There is
still room for answers in flight, in the reserved space. After a failed sync, nothing counts as being on the disk, even
if a later sync succeeds: the kernel may have dropped what it could not write.
"""

import errno
import os
import resource
import sys
from collections.abc import Callable, Container
from contextlib import suppress
from pathlib import Path
from typing import Any

from llmbatch.core.checksum import mended
from llmbatch.core.errors import StorageFailed, UsageError
from llmbatch.core.files import open_file, open_to_read, storage_failure, storing, sync_folder
from llmbatch.core.key_index import KeyIndex, short
from llmbatch.core.ledger_line import FAILED, LedgerLine, Reread, as_written
from llmbatch.core.plurals import counted
from llmbatch.runs.ledger.checkpoint import Checkpoint
from llmbatch.runs.ledger.lines import LineReader, LineWriter, record_of
from llmbatch.runs.ledger.recover import cut_torn_tail, fewest_lines, read_lines
from llmbatch.runs.ledger.reserve import Reserve

_LINES_AT_ONCE = 16 << 10
"""Bytes per read: rows are mostly looked up in the order of their lines."""


class Ledger:
    """An open ledger: appends lines, and finds the latest line of a key."""

    def __init__(
        self,
        path: Path,
        fd: int,
        index: KeyIndex,
        size: int,
        reread: Reread,
        labels: Container[str] | None,
        reserve: Reserve | None = None,
    ) -> None:
        self.path = path
        self.trouble: StorageFailed | None = None
        """Why nothing more may be sent: the first write or sync that failed, whether or not its line was kept."""
        self.lost = 0
        """Lines that could not be written."""
        self._reread = reread
        self._labels = labels
        self._fd = fd
        self._identity = os.fstat(fd)
        self._index = index
        self._size = size
        self._session_began_at = size
        self._reserve = reserve
        self._full_at = _largest_file() - (reserve.size if reserve is not None else 0)
        self._reader, self._writer = LineReader(fd), LineWriter()
        self._appended = 0
        self._synced = -1  # lines of a killed process may not be on the disk yet
        self._is_doubtful = False
        self._is_torn = False
        self._block = 0, b""  # the last block read, and its offset

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        on_line: Callable[[int, LedgerLine], None],
        reread: Reread = as_written,
        labels: Container[str] | None = None,
        reserve: Reserve | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> "tuple[Ledger, Path | None]":
        """Open or create a ledger.

        Args:
            path: the file.
            on_line: called with the offset and content of each existing line.
            reread: applied to each line that is passed on or looked up, if it counts differently now than when it was
                written.
            labels: all valid labels. A line with another one is not a result: its row is not done. None if no row is
                looked up.
            reserve: space for lines on a full disk; reserved by the caller.
            checkpoint: of its beginning, whose lines are then not passed on.

        Returns:
            The ledger, and the file that a torn tail was moved to, if there was one.

        Raises:
            UsageError: a line in the middle is damaged, or the name belongs to something other than a file of the user.
            StorageFailed: it cannot be created or repaired.
        """
        with storing(path):
            torn = cut_torn_tail(path)
            index = _indexed(path, on_line, reread, labels, checkpoint)
            fd = open_file(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
            sync_folder(path.parent)
            return cls(path, fd, index, os.fstat(fd).st_size, reread, labels, reserve), torn

    @classmethod
    def open_to_read(
        cls,
        path: Path,
        *,
        on_line: Callable[[int, LedgerLine], None],
        reread: Reread = as_written,
        labels: Container[str] | None = None,
    ) -> "Ledger":
        """Open a ledger that another process may be appending to; nothing can be added. Arguments as for `open`.

        Raises:
            UsageError: there is none, or a line in it is damaged.
        """
        index = _indexed(path, on_line, reread, labels)
        try:
            with open_to_read(path) as file:
                fd = os.dup(file.fileno())
        except FileNotFoundError:
            raise UsageError(f"{path}: no ledger yet", hint="run llmbatch classify first") from None
        return cls(path, fd, index, os.fstat(fd).st_size, reread, labels)

    @property
    def size(self) -> int:
        """Total size of whole lines in bytes."""
        return self._size

    @property
    def is_in_place(self) -> bool:
        """Whether the ledger's name still leads to it, and the folder has not been deleted, moved or replaced."""
        try:
            return os.path.samestat(self.path.lstat(), self._identity)
        except FileNotFoundError:
            return False
        except OSError:
            return True  # an error will show at the next write

    def append(self, line: LedgerLine) -> None:
        """Add a line. Check `trouble` afterwards: if it is set, this line was written, but no other row may be sent.

        Raises:
            StorageFailed: it could not be written; what was written of it is cut off again.
        """
        raw = self._writer.encode(line)
        try:
            self._write_or_make_room(raw)
        except StorageFailed:
            self._writer.forget()
            self.lost += 1
            raise
        offset = self._size
        self._size += len(raw)  # first: a reader that finds the line in the index finds the ledger grown
        self._index[short(line.key)] = _packed(offset, line, self._labels)
        self._appended += 1
        if self._size > self._full_at:
            why = f"{self.path}: the file size limit is nearly reached (ulimit -f)"
            self._failed(StorageFailed(why, hint="raise it, then run the same command again"))

    def sync(self) -> None:
        """Sync what was appended to the disk; blocks, so do not call it in the event loop.

        Raises:
            StorageFailed: a sync failed, now or earlier; what is on disk since the last successful one is unknown. Or
                the ledger is no longer in its place: further answers would be lost.
        """
        if not self.is_in_place:
            why = f"{self.path}: was deleted or moved during the run"
            hint = "if the folder was moved, its answers moved with it: resume with classify --out FOLDER"
            raise self._failed(StorageFailed(why, hint=hint))
        if self._is_doubtful and self.trouble is not None:
            raise self.trouble
        appended = self._appended
        if self._synced == appended:
            return
        try:
            os.fsync(self._fd)
        except OSError as error:
            self._is_doubtful = True
            rows = appended - max(self._synced, 0)
            why = f"{self.path}: cannot sync ({error.strerror}); {counted(rows, 'finished row')} may not be on the disk"
            hint = "check the disk, then run the same command again: the rows are written again"
            raise self._failed(StorageFailed(why, hint=hint)) from error
        self._synced = appended

    def is_done(self, key: str) -> bool:
        """Whether the key's latest outcome is final and not a failure."""
        packed = self._index.get(short(key))
        return packed is not None and not packed & 1

    def begin_session(self) -> None:
        """Mark that lines appended from now on belong to this session."""
        self._session_began_at = self._size

    def was_written(self, key: str) -> bool:
        """Whether the key has a line, from any session."""
        return self._index.get(short(key)) is not None

    def is_of_session(self, key: str) -> bool:
        """Whether the key's latest line is from this session."""
        if self._size <= self._session_began_at:
            return False
        packed = self._index.get(short(key))
        return packed is not None and packed >> 1 >= self._session_began_at

    def latest(self, key: str) -> LedgerLine | None:
        """The key's latest line, or None if there is none or it is not a valid outcome."""
        packed = self._index.get(short(key))
        if packed is None:
            return None
        try:
            line = self._reader.read(record_of(self._line_at(packed >> 1)), packed >> 1)
        except ValueError as error:  # it was valid when the ledger was opened
            raise UsageError(f"{self.path}: the line at byte {packed >> 1} is damaged ({error})") from None
        return self._reread(line) if line.key == key and line.can_be(self._labels) else None

    def checkpoint(self, sums: dict[str, Any]) -> Checkpoint:
        """A checkpoint of all its lines, for the start of the next session; `sums` are the caller's, over the same."""
        return Checkpoint(self._size, self._index, sums)

    def close(self) -> None:
        """Sync and close. A sync that fails is the ledger's `trouble`."""
        with suppress(StorageFailed):
            self.sync()
        os.close(self._fd)

    def _write_or_make_room(self, raw: bytes) -> None:
        try:
            self._write(raw)
        except StorageFailed:
            if self._reserve is None or not self._reserve.release():
                raise
            self._write(raw)

    def _write(self, raw: bytes) -> None:
        if self._is_torn and self.trouble is not None:
            raise self.trouble
        try:
            written = os.write(self._fd, raw)
        except OSError as error:
            self._cut_back()
            raise self._failed(storage_failure(self.path, error)) from error
        if written != len(raw):
            self._cut_back()
            raise self._failed(storage_failure(self.path, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))))

    def _failed(self, failure: StorageFailed) -> StorageFailed:
        """Keep a failure, if it is the first."""
        if self.trouble is None:
            self.trouble = failure
        return failure

    def _cut_back(self) -> None:
        try:
            os.ftruncate(self._fd, self._size)
        except OSError:  # the next open cuts the torn tail; a line after it would be damaged
            self._is_torn = True

    def _line_at(self, offset: int) -> bytes:
        start, block = self._block  # read both at once: other threads also look up lines
        end = block.find(b"\n", offset - start) if start <= offset < start + len(block) else -1
        if end != -1:
            return block[offset - start : end + 1]
        block = os.pread(self._fd, _LINES_AT_ONCE, offset)
        while (end := block.find(b"\n")) == -1:
            more = os.pread(self._fd, len(block), offset + len(block))
            if not more:
                return mended(block) or block
            block += more
        self._block = offset, block
        return block[: end + 1]


def _indexed(
    path: Path,
    on_line: Callable[[int, LedgerLine], None],
    reread: Reread,
    labels: Container[str] | None,
    checkpoint: Checkpoint | None = None,
) -> KeyIndex:
    if checkpoint is None:
        index, start = KeyIndex(room_for=fewest_lines(path)), 0
    else:
        index, start = checkpoint.index, checkpoint.size
    for offset, line in read_lines(path, start=start):
        index[short(line.key)] = _packed(offset, line, labels)
        on_line(offset, reread(line))
    return index


def _packed(offset: int, line: LedgerLine, labels: Container[str] | None) -> int:
    return offset << 1 | (line.status == FAILED or not line.can_be(labels))


def _largest_file() -> int:
    """Maximum size of a file of this process in bytes."""
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    return sys.maxsize if limit == resource.RLIM_INFINITY else limit
