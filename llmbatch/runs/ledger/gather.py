"""Takes over the lines of other ledgers: each once, however often it is repeated and whenever it is killed.

A line states when its row was sent, to the microsecond, so two equal lines are the same line. Lines that the ledger
does not contain yet are appended; how far the others were read is recorded only to be faster the next time.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import orjson

from llmbatch.core.checksum import FORMAT, LEDGER_FORMAT, LineCheck, seal, stated_format, unseal_file
from llmbatch.core.errors import UsageError
from llmbatch.core.files import open_file, open_to_read, replacing, storing, sync_folder
from llmbatch.core.key_index import KeyIndex
from llmbatch.core.ledger_line import LedgerLine, key_in
from llmbatch.runs.ledger.lines import LineReader, LineWriter, record_of
from llmbatch.runs.ledger.recover import cut_torn_tail, refusal, whole_lines
from llmbatch.runs.ledger.sent import carry_leftovers

_BLOCK = 1 << 20
_HASH = (1 << 64) - 1


def gather_lines(ledger: Path, sent_log: Path, others: Mapping[str, Path], holds: Callable[[str], bool]) -> Path | None:
    """Append the lines of other ledgers that this one lacks. The caller holds the locks of its folder.

    What a killed session of the folder left in `sent_log` is preserved: the new lines do not count as its answers.

    Args:
        ledger: the ledger to append to; it is created if it does not exist.
        sent_log: the log of requests next to it.
        others: the other ledgers by stable names; processes may be appending to them.
        holds: whether lines with this key are wanted.

    Returns:
        The file that the ledger's torn tail was moved to, if there was one.

    Raises:
        UsageError: a wanted line is damaged.
        StorageFailed: the new lines cannot be written.
    """
    read = _Read.of(ledger)
    behind = {name: path for name, path in others.items() if read.start(name, path) < _size(path)}
    with storing(ledger):
        if not ledger.exists():
            os.close(open_file(ledger, os.O_WRONLY | os.O_CREAT | os.O_APPEND))
            sync_folder(ledger.parent)
    if not behind:
        return None
    with storing(ledger):
        torn = cut_torn_tail(ledger)
        known, writer = _digests(ledger), LineWriter()
        ends: dict[str, int] = {}
        new: list[bytes] = []
        for name, path in behind.items():
            ends[name] = start = read.start(name, path)
            for end, record in _records(path, start, holds):
                ends[name] = end
                if record is not None and known.get(digest := hash(record) & _HASH) is None:
                    known[digest] = 0
                    new.append(writer.encode_record(record))
                    if len(new) == _AT_ONCE:
                        _append(ledger, sent_log, new)
        _append(ledger, sent_log, new)
        read.note(ends)
    return torn


_AT_ONCE = 20_000
"""Lines that are held in memory."""


def _append(ledger: Path, sent_log: Path, lines: list[bytes]) -> None:
    if not lines:
        return
    raw = b"".join(lines)
    lines.clear()
    carry_leftovers(sent_log, ledger, beyond=len(raw))
    fd = open_file(ledger, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        view = memoryview(raw)
        while view:
            view = view[os.write(fd, view) :]
        os.fsync(fd)
    finally:
        os.close(fd)


def _digests(ledger: Path) -> KeyIndex:
    """Digests of the whole records of its lines. Damage is found when the ledger is opened."""
    known = KeyIndex()
    if ledger.exists():
        with open_to_read(ledger) as file:
            lines = LineReader(file.fileno())
            for _, offset, raw in whole_lines(file, 0):
                with suppress(ValueError):
                    known[hash(_whole(lines, record_of(raw), offset)) & _HASH] = 0
    return known


def _records(path: Path, start: int, holds: Callable[[str], bool]) -> Iterator[tuple[int, bytes | None]]:
    """The whole records after `start`, each with the offset of its line's end; None for one that is not wanted."""
    with open_to_read(path) as other:
        check, lines = LineCheck(from_start=start == 0, newest=LEDGER_FORMAT), LineReader(other.fileno())
        for number, offset, raw in whole_lines(other, start):
            end, key = offset + len(raw), key_in(raw)
            if key is not None and not holds(key):
                yield end, None
                continue
            try:
                yield end, _whole(lines, check.record(raw), offset)
            except (ValueError, TypeError) as error:
                raise refusal(path, start, number, error) from None


def _whole(lines: LineReader, record: bytes, offset: int) -> bytes:
    """A line of any format and ledger in a canonical form.

    Raises:
        ValueError: it is not a line of a ledger.
    """
    whole = lines.whole(record, offset)
    line = LedgerLine.from_record(whole)
    return whole if stated_format(whole) == LEDGER_FORMAT else line.to_record()


class _Read:
    """How far other ledgers were read, recorded next to the ledger that took their lines over."""

    def __init__(self, path: Path, ends: dict[str, int]) -> None:
        self._path = path
        self._ends = ends

    @classmethod
    def of(cls, ledger: Path) -> "_Read":
        """The recorded offsets; empty if the ledger is shorter than it was then."""
        path = ledger.with_suffix(".gathered")
        try:
            with open_to_read(path) as file:
                found = orjson.loads(unseal_file(file.read()))
            if found["size"] <= _size(ledger):
                return cls(path, {str(name): int(end) for name, end in found["ends"].items()})
        except (OSError, ValueError, TypeError, KeyError, UsageError):
            pass
        return cls(path, {})

    def start(self, name: str, path: Path) -> int:
        """The offset from which to read another ledger; 0 if it is shorter than it was."""
        end = self._ends.get(name, 0)
        return end if end <= _size(path) else 0

    def note(self, ends: dict[str, int]) -> None:
        """Record how far they were read now."""
        ledger = self._path.with_suffix(".jsonl")
        content = {"format": FORMAT, "size": _size(ledger), "ends": self._ends | ends}
        with replacing(self._path) as file:
            file.write(seal(orjson.dumps(content)))


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
