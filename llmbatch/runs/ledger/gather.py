"""Taking over the lines of other ledgers: each once, however often it is tried and wherever a kill comes.

A line says when its row was sent, to the microsecond, so that two lines that say the same are one line. What is
appended is what the ledger does not hold yet; how far the others were read is only noted to be quicker the next time.
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
    """Append what other ledgers hold and this one does not. The caller holds the locks of its folder.

    What a killed session of the folder left in `sent_log` stays as it is: the new lines are not taken for its answers.

    Args:
        ledger: that is appended to; it is made where there is none.
        sent_log: beside it.
        others: the other ledgers by names that stay the same; processes may be appending to them.
        holds: whether lines with this key are wanted.

    Returns:
        The file that the ledger's torn tail was moved to, if there was one.

    Raises:
        UsageError: a line that is wanted is damaged.
        StorageFailed: what is new cannot be written.
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
    """Of the whole records of its lines. What is damaged is found when the ledger is opened."""
    known = KeyIndex()
    if ledger.exists():
        with open_to_read(ledger) as file:
            lines = LineReader(file.fileno())
            for _, offset, raw in whole_lines(file, 0):
                with suppress(ValueError):
                    known[hash(_whole(lines, record_of(raw), offset)) & _HASH] = 0
    return known


def _records(path: Path, start: int, holds: Callable[[str], bool]) -> Iterator[tuple[int, bytes | None]]:
    """The whole records behind `start`, each with the offset of its line's end; None for one that is not wanted."""
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
    """A line of whichever format and ledger, as the same bytes.

    Raises:
        ValueError: it is not a line of a ledger.
    """
    whole = lines.whole(record, offset)
    line = LedgerLine.from_record(whole)
    return whole if stated_format(whole) == LEDGER_FORMAT else line.to_record()


class _Read:
    """How far other ledgers were read, kept beside the one that took their lines over."""

    def __init__(self, path: Path, ends: dict[str, int]) -> None:
        self._path = path
        self._ends = ends

    @classmethod
    def of(cls, ledger: Path) -> "_Read":
        """What is noted; nothing where the ledger is shorter than it was then."""
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
        """From where on another ledger is to be read: from its start where it is shorter than it was."""
        end = self._ends.get(name, 0)
        return end if end <= _size(path) else 0

    def note(self, ends: dict[str, int]) -> None:
        """Keep how far they were read now."""
        ledger = self._path.with_suffix(".jsonl")
        content = {"format": FORMAT, "size": _size(ledger), "ends": self._ends | ends}
        with replacing(self._path) as file:
            file.write(seal(orjson.dumps(content)))


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
