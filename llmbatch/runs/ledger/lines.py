"""The form of lines in a ledger's file: what many of them have in common is stated once, and then only named.

    {"format":3,OWN,"time":"22:34:27.389857Z","shared":"4f1ea5b9",SHARED,"crc32":"9f3a11bc"}
    {"format":3,OWN,"time":"22:34:27.412006Z","shared":"4f1ea5b9","crc32":"01ddb5af"}

The first of these lines states what it shares with others: the day, the prompt, the model and the like, which are
`LedgerLine`'s last fields. The second one only names it. The name is the CRC-32 of the bytes SHARED.

1. A statement is made twice at first, soon a third time, and then again within each `WINDOW` bytes. So a line is read
   with the statement before it, or, if that is damaged, with the one after it.
2. A line whose time is not in the usual form names nothing, and is complete in itself.
"""

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from zlib import crc32

from llmbatch.core.checksum import LEDGER_FORMAT, is_unsealed, seal, unseal
from llmbatch.core.ledger_line import LedgerLine

WINDOW = 64 << 10
"""Bytes."""

_GAPS = (0, 8 << 10, WINDOW)
"""Bytes from a statement to its next repetition: after the first, after the second, and after any later one."""
_MOST_STATEMENTS = 1_000
"""How many are remembered: a server whose answers have nothing in common must not fill the memory."""

_STARTED = b',"started_at":"'
_TIME = b',"time":"'
_SHARED = b',"shared":"%08x"'
_SHARED_HEAD, _SHARED_BYTES = _SHARED[:11], len(_SHARED % 0)
_DATE = b',"date":"'
_DATE_BYTES = len(_DATE + b'2026-11-27"')
_STAMP = re.compile(rb"(\d{4}-\d\d-\d\d)T([\d:.]+Z)")


@dataclass(slots=True)
class _Statement:
    """What a writer has stated under a name: how often, and where it was last stated."""

    shared: bytes
    times: int
    at: int


@dataclass(frozen=True, slots=True)
class _Shared:
    """What a reader inserts into a line, before and after its time of day."""

    day: bytes
    rest: bytes


class LineWriter:
    """Encodes the lines that are appended to one file, in order."""

    def __init__(self) -> None:
        self._written = 0
        self._statements: dict[int, _Statement] = {}

    def encode(self, line: LedgerLine) -> bytes:
        """The next line, sealed, newline included."""
        return self.encode_record(line.to_record())

    def encode_record(self, record: bytes) -> bytes:
        """The same for a whole record, as created by `LedgerLine.to_record`."""
        parts = _parted(record)
        raw = seal(record) if parts is None else seal(self._abridged(*parts))
        self._written += len(raw)
        return raw

    def forget(self) -> None:
        """State everything again: an encoded line was not written to the file."""
        self._statements.clear()

    def _abridged(self, own: bytes, shared: bytes) -> bytes:
        name = crc32(shared)
        known = self._statements.get(name)
        if known is not None and known.shared == shared:
            if self._written - known.at < _GAPS[min(known.times, len(_GAPS)) - 1]:
                return own + _SHARED % name + b"}"
            known.times += 1
            known.at = self._written
        else:
            if len(self._statements) >= _MOST_STATEMENTS:
                self.forget()
            self._statements[name] = _Statement(shared, 1, self._written)
        return own + _SHARED % name + shared + b"}"


class LineReader:
    """Reads the lines of one file, in any order."""

    def __init__(self, fd: int) -> None:
        """`fd`: the file's descriptor, which must stay open while lines are read."""
        self._fd = fd
        self._shared: dict[bytes, _Shared] = {}
        self._learning = Lock()  # lines are looked up by several threads

    def read(self, record: bytes, offset: int) -> LedgerLine:
        """A line's content.

        Args:
            record: the line without its seal, of this format or an earlier one.
            offset: its position in the file.

        Raises:
            ValueError: it is not a line of a ledger; the message says why.
        """
        return LedgerLine.from_record(self.whole(record, offset))

    def whole(self, record: bytes, offset: int) -> bytes:
        """The record including what it shares with others; one of an earlier format unchanged. Arguments as for `read`.

        Raises:
            ValueError: what it shares is not stated nearby.
        """
        end = record.rfind(_SHARED_HEAD)
        if end < 0:
            return record
        name, rest = record[end : end + _SHARED_BYTES], record[end + _SHARED_BYTES :]
        if rest.startswith(_DATE):
            shared, rest = self._stated(name, rest[:-1]), b"}"
        else:
            shared = self._shared.get(name) or self._found(name, offset)
        time = record.rfind(_TIME, 0, end)
        return record[:time] + shared.day + record[time + len(_TIME) : end] + shared.rest + rest

    def _found(self, name: bytes, offset: int) -> _Shared:
        """What is stated before a line or, if that statement is damaged, after it."""
        start = max(offset - WINDOW, 0)
        for line in os.pread(self._fd, offset - start + 2 * WINDOW, start).splitlines(keepends=True):
            if name + _DATE in line:
                with suppress(ValueError):
                    self.whole(unseal(line, LEDGER_FORMAT), offset)
        if name not in self._shared:
            raise ValueError("the lines that state what it shares with them are missing")
        return self._shared[name]

    def _stated(self, name: bytes, stated: bytes) -> _Shared:
        shared = _Shared(_STARTED + stated[len(_DATE) : _DATE_BYTES - 1] + b"T", stated[_DATE_BYTES:])
        if name == _SHARED % crc32(stated):  # otherwise another program has changed the line
            with self._learning:
                self._shared.pop(name, None)
                self._shared[name] = shared
                if len(self._shared) > _MOST_STATEMENTS:
                    del self._shared[next(iter(self._shared))]
        return shared


def record_of(raw: bytes) -> bytes:
    """The record of a single line of the file, whose position is not known.

    Raises:
        ValueError: it is damaged, or of a newer format.
    """
    return raw if is_unsealed(raw) else unseal(raw, LEDGER_FORMAT)


def _parted(record: bytes) -> tuple[bytes, bytes] | None:
    """A whole record's own part, with the time of day, and what it shares, with the day; None if it has no time."""
    start = record.rfind(_STARTED)
    stamp = _STAMP.match(record, start + len(_STARTED))
    if start < 0 or stamp is None or record[stamp.end()] != _QUOTE:
        return None
    own = record[:start] + _TIME + stamp[2] + b'"'
    return own, _DATE + stamp[1] + record[stamp.end() : -1]


_QUOTE = ord('"')
