"""The log of decisions: many readers and writers, one file, no decision overwritten.

1. A decision is one write at the file's end, synced before it is reported as saved.
2. Writers take turns under the kernel's lock on the file (`flock`), for the milliseconds of a write; a killed process
   leaves no lock behind. When it has the lock, a writer first reads what the others wrote.
3. A torn tail is the only damage that a crash can do. Readers stop before it; the next writer moves it aside to
   `decisions.torn-N`. Other damage shows in a line's checksum, and is refused with its place.

Memory is 16 bytes per decided text, since the index is flat like the ledger's.
"""

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

from llmbatch.core.checksum import LineCheck, NewerFormatError, mended
from llmbatch.core.errors import StorageFailed, UsageError
from llmbatch.core.filenames import quoted
from llmbatch.core.files import open_file, open_to_read
from llmbatch.core.key_index import KeyIndex, short
from llmbatch.runs.decisions.line import Decision
from llmbatch.runs.ledger.recover import cut_torn_tail

_LIKELY_LINE = 1024


class DecisionLog:
    """The human decisions in one run folder."""

    def __init__(self, path: Path) -> None:
        """Read the log in `path`. A missing file has no decisions, and is not created.

        Raises:
            UsageError: a line in the file is damaged, or of a newer format.
        """
        self.path = path
        self._check = LineCheck(from_start=True)
        self._fd: int | None = None
        self._size = 0
        self._lines = 0
        self._by_text = KeyIndex()
        self._labelled = 0
        self._news: list[Decision] = []
        for _ in self._take_in():
            pass

    def __len__(self) -> int:
        """How many texts have a decision that names a label."""
        return self._labelled

    @property
    def size(self) -> int:
        """Bytes of the lines read so far."""
        return self._size

    @property
    def is_used(self) -> bool:
        """Whether there is any line."""
        return self._lines > 0

    def latest(self, text: str) -> Decision | None:
        """The latest line about a text by its digest, or None if there is no decision about it."""
        found = self._at(self._by_text.get(short(text)))
        return found if found is not None and found.text == text else None

    def lines(self) -> Iterator[Decision]:
        """Each line read so far, in the file's order; a text occurs once per line about it."""
        if self._fd is not None:
            with open(self._fd, "rb", closefd=False) as file:
                file.seek(0)
                for raw in islice(file, self._lines):
                    yield Decision.from_bytes(raw if raw.endswith(b"\n") else mended(raw) or raw)

    def refresh(self) -> tuple[Decision, ...]:
        """Read what others have written since the last call, and return it.

        Raises:
            UsageError: a line in it is damaged.
        """
        news, self._news = [*self._news, *self._take_in()], []
        return tuple(news)

    def append(self, compose: Callable[[], Sequence[Decision]]) -> Sequence[Decision]:
        """Add decisions, all or none, and sync them to disk.

        Args:
            compose: returns them; called while all other writers wait, and when `latest` knows what they wrote.

        Raises:
            StorageFailed: they could not be written; the log is unchanged.
        """
        try:
            with self._turn() as fd:
                decisions = compose()
                raw = b"".join(decision.to_bytes() for decision in decisions)
                self._write(fd, raw)
                for _ in self._take_in():
                    pass
        except OSError as error:
            raise StorageFailed(
                f"{self.path}: cannot save the decision ({error.strerror})", hint="make room, then decide again"
            ) from error
        return decisions

    def close(self) -> None:
        """Close the file."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    @contextmanager
    def _turn(self) -> Iterator[int]:
        """The file for writing, while no other process may write; what the others wrote has been read."""
        fd = open_file(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            cut_torn_tail(self.path)
            self._news.extend(self._take_in())
            yield fd
        finally:
            os.close(fd)

    def _write(self, fd: int, raw: bytes) -> None:
        try:
            view = memoryview(raw)
            while view:
                view = view[os.write(fd, view) :]
            os.fsync(fd)
        except OSError:
            with suppress(OSError):  # otherwise the next writer moves it aside as a torn tail
                os.ftruncate(fd, self._size)
            raise

    def _take_in(self) -> Iterator[Decision]:
        if self._fd is None:
            try:
                with open_to_read(self.path) as opened:
                    self._fd = os.dup(opened.fileno())
            except FileNotFoundError:
                return
        with open(self._fd, "rb", closefd=False) as file:
            file.seek(self._size)
            for raw in file:
                line = raw if raw.endswith(b"\n") else mended(raw)
                if line is None:
                    return  # another process is writing it, or it is a torn tail
                try:
                    decision = Decision.from_record(self._check.record(line))
                except ValueError as error:
                    raise self._refusal(error) from None
                self._note(decision)
                self._size += len(line)
                self._lines += 1
                yield decision

    def _refusal(self, error: ValueError) -> UsageError:
        where = f"{self.path}: line {self._lines + 1}"
        if isinstance(error, NewerFormatError):
            return UsageError(f"{where}: {error}", hint="use that version for this run folder")
        return UsageError(
            f"{where} is damaged ({error})", hint=f"llmbatch repair {quoted(self.path.parent)} moves it aside"
        )

    def _note(self, decision: Decision) -> None:
        has_label = decision.category is not None
        before = self._by_text.get(short(decision.text))
        self._labelled += has_label - (before is not None and before & 1)
        self._by_text[short(decision.text)] = self._size << 1 | has_label

    def _at(self, packed: int | None) -> Decision | None:
        if packed is None or self._fd is None:
            return None
        offset = packed >> 1
        chunk = os.pread(self._fd, _LIKELY_LINE, offset)
        while b"\n" not in chunk and (more := os.pread(self._fd, len(chunk), offset + len(chunk))):
            chunk += more
        end = chunk.find(b"\n")
        line = chunk[: end + 1] if end != -1 else mended(chunk) or chunk
        try:
            return Decision.from_bytes(line)
        except ValueError as error:  # it was valid when it was first read
            raise UsageError(f"{self.path}: the line at byte {offset} is damaged ({error})") from None
