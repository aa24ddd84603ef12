"""What was sent and may have been billed, known even after a kill.

Before a request leaves, one short line goes to `sent.log`: no fsync, since a killed process's writes survive it and
a power cut takes the request's answer along anyway. The first line states where the ledger ended when the session
began, so that only outcomes behind that offset count as answers to what follows. A row that is asked again has no
line in the ledger yet: what its last request came to stands here as a line that takes the first one's place.
"""

import errno
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TypeVar

import orjson

from llmbatch.files import storage_failure, storing

_Record = TypeVar("_Record", "_Beginning", "Sent")


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What the last session left: where the ledger ended when it began, when that was, and what it sent."""

    ledger_offset: int
    started_at: str
    sends: tuple["Sent", ...]

    def unsettled(self, settled: Mapping[str, int]) -> tuple["Sent", ...]:
        """The sends that no ledger line tells of, and that are not known to be free: possibly billed.

        Args:
            settled: by the key, the attempts of its lines since the session began. A row that is asked of several
                models has a line for each, so that its first ones say nothing of a later send.
        """
        told, lost = Counter(settled), []
        for sent in self.sends:
            if told[sent.key] > 0:
                told[sent.key] -= 1
            elif sent.billed:
                lost.append(sent)
        return tuple(lost)


@dataclass(frozen=True, slots=True)
class Sent:
    """A request that left: its row's key, which send of the row it was, and its cost at most, in nano-dollars."""

    key: str
    attempt: int
    at_most_nusd: int
    """What was set aside for it; what it came to, once that is known."""
    ended: bool = False
    """Whether this tells what became of it, in place of that it left."""
    billed: bool = True
    """False once it is known that it was not."""


class SentLog:
    """Append-only, one file a session; the next session reads what the last one left, then starts it anew."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None

    def leftovers(self) -> Leftovers | None:
        """What the last session left, or None where it ended in order. A torn last line is left out."""
        with storing(self._path):
            try:
                first, *lines = self._path.read_bytes().split(b"\n")[:-1] or [b""]
            except FileNotFoundError:
                return None
        beginning = _read(first, _Beginning)
        if beginning is None:
            return None
        sends = _with_their_ends(sent for line in lines if (sent := _read(line, Sent)) is not None)
        return Leftovers(beginning.ledger_offset, beginning.started_at, tuple(sends))

    def begin(self, ledger_offset: int, started_at: str) -> None:
        """Start a session's file anew.

        Raises:
            StorageFailed: it cannot be written, so that nothing may be sent.
        """
        with storing(self._path):
            self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        self._write(_Beginning(ledger_offset, started_at))

    def record(self, sent: Sent) -> None:
        """Write down a request that is about to leave, or again what it came to.

        Raises:
            StorageFailed: that cannot be kept, so no request must leave.
        """
        self._write(sent)

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

    def _write(self, record: "_Beginning | Sent") -> None:
        assert self._fd is not None, "begin() comes first"  # noqa: S101 - a programmer's mistake
        raw = orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
        try:
            written = os.write(self._fd, raw)
        except OSError as error:
            raise storage_failure(self._path, error) from error
        if written != len(raw):
            raise storage_failure(self._path, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))


@dataclass(frozen=True, slots=True)
class _Beginning:
    """The first line: where the ledger ended then, and when that was."""

    ledger_offset: int
    started_at: str


def _with_their_ends(records: Iterable[Sent]) -> list[Sent]:
    """The sends in their order, each as it is known at last."""
    sends: list[Sent] = []
    latest: dict[str, int] = {}
    for sent in records:
        if sent.ended and sent.key in latest:
            sends[latest[sent.key]] = sent
        else:
            latest[sent.key] = len(sends)
            sends.append(sent)
    return sends


def _read(line: bytes, kind: type[_Record]) -> _Record | None:
    """A line of the file as the record that it should be; None where a crash has left something else."""
    try:
        data = orjson.loads(line)
        record = kind(**data)
    except (orjson.JSONDecodeError, TypeError):
        return None
    return record if all(type(getattr(record, field.name)) is field.type for field in fields(kind)) else None
