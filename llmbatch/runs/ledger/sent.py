"""What was sent and may have been billed, recorded even if the process is killed.

Before a request is sent, one short line is written to `sent.log`. It survives a kill of the process, and is synced
together with the ledger, so a power cut loses at most about a second of it. The first line states where the ledger
ended when the file began, so that only outcomes after that offset count as answers to what follows; it is written
twice, since without it an open request could not be distinguished from one that ended. A row that is sent again has no
line in the ledger yet: the outcome of its last request is here, as a line that replaces the first one.

A damaged line counts as a request that was billed, at the maximum cost of any request in the file.

A long session rewrites the file from time to time, with only the requests that have no outcome yet, since the next
process reads all of it after a kill.
"""

import errno
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from zlib import crc32

from msgspec import Meta, Struct
from msgspec.json import decode, encode

from llmbatch.core.checksum import FORMAT, LineCheck, NewerFormatError, is_unsealed, mended, seal
from llmbatch.core.errors import UsageError
from llmbatch.core.files import (
    create_beside,
    open_file,
    open_to_read,
    release_beside,
    replacing,
    storage_failure,
    storing,
    sync_folder,
)
from llmbatch.core.sent import Sent
from llmbatch.core.usage import UsageTotals
from llmbatch.engine.tally import DailyTotals
from llmbatch.runs.ledger.recover import read_lines

_Count = Annotated[int, Meta(ge=0)]
_LINES = re.compile(rb'\n|(?=\{"format":)')
"""The end of a line, or the beginning of the next one if the newline between them is damaged."""
_AMOUNT = re.compile(rb'"at_most_nusd":(.{1,12}?)[,}]')


@dataclass(frozen=True, slots=True)
class Damage:
    """Lines of the file that cannot be read: each may be a request that was billed."""

    requests: int = 0
    at_most_nanousd: int = 0
    """Maximum cost of all of them; 0 if the file does not say what a request may cost."""


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What the last session left: the end of the ledger when the file began, the session, and what it sent since."""

    ledger_offset: int | None
    """None if the file no longer says it: then no request is known to have ended."""
    started_at: str
    came_to: Mapping[str, Any]
    """The session's totals before that offset, as passed to `begin_again`."""
    sends: tuple["Sent", ...]
    damage: Damage = Damage()

    def unsettled(self, settled: Mapping[str, int]) -> tuple["Sent", ...]:
        """The requests without a ledger line that are not known to be free: possibly billed.

        Args:
            settled: by key, the attempts of its lines after the offset. A row that is sent to several models has a
                line for each, so the first lines say nothing about a later request.
        """
        ended, lost = Counter(settled), []
        for sent in self.sends:
            if ended[sent.key] > 0:
                ended[sent.key] -= 1
            elif sent.billed:
                lost.append(sent)
        return tuple(lost)


def carry_leftovers(path: Path, ledger: Path, *, beyond: int) -> None:
    """Before lines of other ledgers are appended, make sure that they do not count as a killed session's.

    What the session left is rewritten to start after them, with its totals and the requests that have no outcome. This
    is correct even if the lines are not appended, or only in part.

    Args:
        path: the `sent.log`; if it does not exist, nothing was left.
        ledger: the ledger next to it.
        beyond: bytes that will be appended.

    Raises:
        StorageFailed: it cannot be read or written.
        UsageError: it is of a newer format, or a line of the ledger is damaged.
    """
    left = SentLog(path).leftovers()
    if left is None:
        return
    daily, settled = DailyTotals(), Counter[str]()
    if left.ledger_offset is not None:
        for _, line in read_lines(ledger, start=left.ledger_offset):
            daily.add(line)
            settled[line.key] += line.attempts
    days = {day: UsageTotals.restored(sums) for day, sums in left.came_to.items()}
    for day, usage in daily.usage().items():
        days[day] = days.get(day, UsageTotals()) + usage
    damaged = [
        Sent(_NO_KEY, n, left.damage.at_most_nanousd // left.damage.requests) for n in range(left.damage.requests)
    ]
    end = ledger.stat().st_size if ledger.exists() else 0
    beginning = _Beginning(end + beyond, left.started_at, {day: usage.stored() for day, usage in days.items()})
    with storing(path), replacing(path) as file:
        records = [*[beginning] * _COPIES, *left.unsettled(settled), *damaged]
        file.write(b"".join(seal(encode(record)) for record in records))


_NO_KEY = "damaged"


class SentLog:
    """Append-only, one file per session; the next session reads what the last one left, then starts a new file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None
        self._size = 0
        self._synced = 0
        self._started_at = ""
        self._open: dict[str, list[Sent]] = {}
        """The requests of rows that have no outcome yet."""

    def leftovers(self) -> Leftovers | None:
        """What the last session left, or None if it ended in an orderly way.

        Raises:
            UsageError: the file is of a newer format.
            StorageFailed: it cannot be read.
        """
        with storing(self._path):
            try:
                with open_to_read(self._path) as file:
                    raw = file.read()
            except FileNotFoundError:
                return None
        try:
            return _Found.read(raw).leftovers(raw) if raw else None
        except NewerFormatError as error:
            raise UsageError(f"{self._path}: {error}", hint="use that version for this run folder") from None

    def begin(self, ledger_offset: int, started_at: str) -> None:
        """Start a new file for a session.

        Raises:
            StorageFailed: it cannot be written, so that nothing may be sent.
        """
        self._started_at = started_at
        with storing(self._path):
            self._fd = open_file(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
        self._size = self._write(self._fd, 0, [_Beginning(ledger_offset, started_at)] * _COPIES)
        self.sync()
        with storing(self._path):
            sync_folder(self._path.parent)

    def begin_again(self, ledger_offset: int, came_to: Mapping[str, Any]) -> None:
        """Drop the requests whose outcome is in the ledger before `ledger_offset`, which must be synced.

        Args:
            ledger_offset: the current end of the ledger.
            came_to: what the session has cost so far, for the next reader of the file.

        Raises:
            StorageFailed: it cannot be written; the file is unchanged.
        """
        with storing(self._path):
            beside, fd = create_beside(self._path)
        sends = (sent for row in self._open.values() for sent in row)
        try:
            beginning = _Beginning(ledger_offset, self._started_at, came_to)
            size = self._write(fd, 0, [*[beginning] * _COPIES, *sends])
            with storing(self._path):
                os.fsync(fd)
                beside.replace(self._path)
                sync_folder(self._path.parent)
        except BaseException:
            with suppress(OSError):
                beside.unlink(missing_ok=True)
            os.close(fd)
            raise
        finally:
            release_beside(beside)
        if self._fd is not None:
            os.close(self._fd)
        self._fd, self._size, self._synced = fd, size, size

    def sync(self) -> None:
        """Sync what was recorded; blocks, so do not call it in the event loop, and call it before syncing the ledger.

        Raises:
            StorageFailed: the sync failed, so nothing more may be sent.
        """
        size = self._size
        if self._fd is None or size == self._synced:
            return
        with storing(self._path):
            os.fsync(self._fd)
        self._synced = size

    def record(self, *sent: Sent) -> None:
        """Record a request that is about to be sent, or its outcome: all its rows, or none.

        Raises:
            StorageFailed: it cannot be recorded, so the request must not be sent.
        """
        assert self._fd is not None, "begin() comes first"  # noqa: S101 - a programmer's mistake
        self._size = self._write(self._fd, self._size, sent)
        for one in sent:
            sends = self._open.setdefault(one.key, [])
            if sends and one.ends(sends[-1]):
                sends[-1] = one
            else:
                sends.append(one)

    def settle(self, key: str, attempts: int) -> None:
        """Note that a line with this many attempts is in the ledger."""
        sends = self._open.pop(key, [])
        if len(sends) > attempts:
            self._open[key] = sends[attempts:]

    def close(self, *, settled: bool) -> None:
        """End the session. `settled` means that every request has its outcome in the ledger: the file can be deleted.

        If it cannot be deleted, this does no harm: the next session finds that everything is settled.
        """
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
        if settled:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)

    def _write(self, fd: int, size: int, records: "Sequence[_Beginning | Sent]") -> int:
        """Add records to a file of `size` bytes, all or none. Returns its new size."""
        raw = b"".join(seal(encode(record)) for record in records)
        try:
            written = os.write(fd, raw)
        except OSError as error:
            raise storage_failure(self._path, error) from error
        if written != len(raw):
            with suppress(OSError):  # otherwise it counts as a damaged line, although nothing was sent
                os.ftruncate(fd, size)
            raise storage_failure(self._path, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
        return size + written


class _Beginning(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="format", tag=FORMAT):
    """The first line: the end of the ledger at that time, the session, and its totals until then."""

    ledger_offset: _Count
    started_at: str
    came_to: Mapping[str, Any] = {}


_COPIES = 2


@dataclass(slots=True)
class _Found:
    """The content of a file, line by line."""

    copies: int
    """The file's format, from its first line."""
    beginnings: list[_Beginning]
    records: list[Sent]
    damaged: list[bytes]

    @classmethod
    def read(cls, raw: bytes) -> "_Found":
        found = cls(1 if is_unsealed(raw.partition(b"\n")[0]) else _COPIES, [], [], [])
        check = LineCheck(from_start=True)
        for line in filter(None, _LINES.split(raw)):
            try:
                record = check.record(mended(line) or line + b"\n")
                if b'"ledger_offset":' in record:
                    found.beginnings.append(decode(record, type=_Beginning))
                else:
                    found.records.append(decode(record, type=Sent))
            except NewerFormatError:
                raise
            except ValueError:
                found.damaged.append(line)
        return found

    def leftovers(self, raw: bytes) -> Leftovers:
        sends = tuple(_with_their_ends(self.records))
        if not self.beginnings:
            return Leftovers(None, f"damaged-{crc32(raw):08x}", {}, sends, self._damage())
        first = self.beginnings[0]
        return Leftovers(first.ledger_offset, first.started_at, first.came_to, sends, self._damage())

    def _damage(self) -> Damage:
        """The damaged lines; only one of the first line's two copies is needed."""
        requests = max(len(self.damaged) - max(self.copies - len(self.beginnings), 0), 0)
        return Damage(requests, requests * self._most_nanousd())

    def _most_nanousd(self) -> int:
        if self.records:
            return max(sent.at_most_nanousd for sent in self.records)
        digits = [len(amount[1]) for line in self.damaged for amount in _AMOUNT.finditer(line)]
        return 10 ** max(digits) - 1 if digits else 0


def _with_their_ends(records: Iterable[Sent]) -> list[Sent]:
    """The requests in order, each in its latest state."""
    sends: list[Sent] = []
    latest: dict[str, int] = {}
    for sent in records:
        if sent.key in latest and sent.ends(sends[latest[sent.key]]):
            sends[latest[sent.key]] = sent
        else:
            latest[sent.key] = len(sends)
            sends.append(sent)
    return sends
