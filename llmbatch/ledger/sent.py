"""What was sent and may have been billed, known even after a kill.

Before a request leaves, one short line goes to `sent.log`: no fsync, since a killed process's writes survive it and
a power cut takes the request's answer along anyway. The first line states where the ledger ended when the file began,
so that only outcomes behind that offset count as answers to what follows. A row that is asked again has no line in the
ledger yet: what its last request came to stands here as a line that takes the first one's place.

A long session begins the file again from time to time, with only the sends that have no outcome yet: whoever comes
after a kill reads all of it.
"""

import errno
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.json import decode, encode

from llmbatch.files import create_beside, open_file, open_to_read, storage_failure, storing

_Record = TypeVar("_Record", "_Beginning", "Sent")


class Leftovers(Struct, frozen=True):
    """What the last session left: where the ledger ended when the file began, the session, and what it sent since."""

    ledger_offset: int
    started_at: str
    came_to: Mapping[str, Any]
    """What the session had come to before that offset, as it was given to `begin_again`."""
    sends: tuple["Sent", ...]

    def unsettled(self, settled: Mapping[str, int]) -> tuple["Sent", ...]:
        """The sends that no ledger line tells of, and that are not known to be free: possibly billed.

        Args:
            settled: by the key, the attempts of its lines behind the offset. A row that is asked of several models has
                a line for each, so that its first ones say nothing of a later send.
        """
        told, lost = Counter(settled), []
        for sent in self.sends:
            if told[sent.key] > 0:
                told[sent.key] -= 1
            elif sent.billed:
                lost.append(sent)
        return tuple(lost)


class Sent(Struct, frozen=True, forbid_unknown_fields=True):
    """A request that left: its row's key, which send of the row it was, and its cost at most, in nano-dollars."""

    key: str
    attempt: int
    at_most_nusd: int
    """What was set aside for it; what it came to, once that is known."""
    ended: bool = False
    """Whether this tells what became of it, in place of that it left."""
    billed: bool = True
    """False once it is known that it was not."""

    def ends(self, earlier: "Sent") -> bool:
        """Whether this tells what became of that one, of the same row."""
        return self.ended and self.attempt == earlier.attempt


class SentLog:
    """Append-only, one file a session; the next session reads what the last one left, then starts it anew."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None
        self._started_at = ""
        self._open: dict[str, list[Sent]] = {}
        """The sends of rows that have no outcome yet."""

    def leftovers(self) -> Leftovers | None:
        """What the last session left, or None where it ended in order. A torn last line is left out."""
        with storing(self._path):
            try:
                with open_to_read(self._path) as file:
                    first, *lines = file.read().split(b"\n")[:-1] or [b""]
            except FileNotFoundError:
                return None
        beginning = _read(first, _Beginning)
        if beginning is None:
            return None
        sends = _with_their_ends(sent for line in lines if (sent := _read(line, Sent)) is not None)
        return Leftovers(beginning.ledger_offset, beginning.started_at, beginning.came_to, tuple(sends))

    def begin(self, ledger_offset: int, started_at: str) -> None:
        """Start a session's file anew.

        Raises:
            StorageFailed: it cannot be written, so that nothing may be sent.
        """
        self._started_at = started_at
        with storing(self._path):
            self._fd = open_file(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
        self._write(self._fd, [_Beginning(ledger_offset, started_at)])

    def begin_again(self, ledger_offset: int, came_to: Mapping[str, Any]) -> None:
        """Leave out the sends whose outcome stands in the ledger before `ledger_offset`, all of it on the disk.

        Args:
            ledger_offset: where the ledger ends now.
            came_to: what the session has come to so far, for whoever finds the file.

        Raises:
            StorageFailed: that cannot be written; the file is as it was.
        """
        with storing(self._path):
            beside, fd = create_beside(self._path)
        sends = (sent for row in self._open.values() for sent in row)
        try:
            self._write(fd, [_Beginning(ledger_offset, self._started_at, came_to), *sends])
            with storing(self._path):
                beside.replace(self._path)
        except BaseException:
            with suppress(OSError):
                beside.unlink(missing_ok=True)
            os.close(fd)
            raise
        if self._fd is not None:
            os.close(self._fd)
        self._fd = fd

    def record(self, sent: Sent) -> None:
        """Write down a request that is about to leave, or again what it came to.

        Raises:
            StorageFailed: that cannot be kept, so no request must leave.
        """
        assert self._fd is not None, "begin() comes first"  # noqa: S101 - a programmer's mistake
        self._write(self._fd, [sent])
        sends = self._open.setdefault(sent.key, [])
        if sends and sent.ends(sends[-1]):
            sends[-1] = sent
        else:
            sends.append(sent)

    def settle(self, key: str, attempts: int) -> None:
        """Take note that a line with so many attempts stands in the ledger."""
        sends = self._open.pop(key, [])
        if len(sends) > attempts:
            self._open[key] = sends[attempts:]

    def close(self, *, settled: bool) -> None:
        """End the session. `settled` tells that every send has its outcome in the ledger: the file can go.

        Where it cannot be deleted it does no harm: the next session finds all of it settled.
        """
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
        if settled:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)

    def _write(self, fd: int, records: "list[_Beginning | Sent]") -> None:
        raw = b"".join(encode(record) + b"\n" for record in records)
        try:
            written = os.write(fd, raw)
        except OSError as error:
            raise storage_failure(self._path, error) from error
        if written != len(raw):
            raise storage_failure(self._path, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))


class _Beginning(Struct, frozen=True, forbid_unknown_fields=True):
    """The first line: where the ledger ended then, the session, and what it had come to before."""

    ledger_offset: int
    started_at: str
    came_to: Mapping[str, Any] = {}


def _with_their_ends(records: Iterable[Sent]) -> list[Sent]:
    """The sends in their order, each as it is known at last."""
    sends: list[Sent] = []
    latest: dict[str, int] = {}
    for sent in records:
        if sent.key in latest and sent.ends(sends[latest[sent.key]]):
            sends[latest[sent.key]] = sent
        else:
            latest[sent.key] = len(sends)
            sends.append(sent)
    return sends


def _read(line: bytes, kind: type[_Record]) -> _Record | None:
    """A line of the file as the record that it should be; None where a crash has left something else."""
    try:
        return decode(line, type=kind)
    except ValueError:
        return None
