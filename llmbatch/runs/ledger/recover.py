"""Opens a ledger after a crash or damage.

1. A torn tail (no newline at its end, half a character, a block of NULs) is the only damage that a crash can do:
   it is moved aside to `ledger.torn-N`, cut off and reported. If a last line lacks only its newline, by its checksum,
   the newline is added.
2. A bad line anywhere else means that something else wrote to the file. The ledger is refused, and the error names the
   line, since rows that were paid for may be lost, until `llmbatch repair` has moved bad lines aside.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

from llmbatch.core.checksum import LEDGER_FORMAT, LineCheck, NewerFormatError, mended
from llmbatch.core.errors import UsageError
from llmbatch.core.filenames import quoted
from llmbatch.core.files import create_numbered, open_file, open_to_read, replacing
from llmbatch.core.ledger_line import LedgerLine
from llmbatch.runs.ledger.lines import LineReader, LineWriter

_Line = TypeVar("_Line")
_BLOCK = 1 << 16
_NEWLINE = ord("\n")


def cut_torn_tail(path: Path) -> Path | None:
    """Cut what follows the last newline, unless it is a whole line that lacks only its newline, which is then added.

    Returns:
        The file that it was moved to (`ledger.torn-N`), or None.
    """
    if not path.exists():
        return None
    with os.fdopen(open_file(path, os.O_RDWR), "r+b") as ledger:
        size = ledger.seek(0, os.SEEK_END)
        end = _end_of_last_line(path)
        if end == size:
            return None
        ledger.seek(end)
        tail = ledger.read()
        if (line := mended(tail)) is not None:
            ledger.seek(end)
            ledger.write(line)
            ledger.truncate()
            ledger.flush()
            os.fsync(ledger.fileno())
            return None
        aside, torn = create_numbered(path.parent, f"{path.stem}.torn")
        with torn:
            torn.write(tail)
        ledger.truncate(end)
        os.fsync(ledger.fileno())
    return aside


def write_again(path: Path, offset: int) -> None:
    """Write everything after `offset` again, and sync it.

    This is for the lines of a session that did not end in an orderly way: its last sync may have failed, after which
    the kernel considers pages clean that are not on disk. Written again, they are synced, or the failure is detected.
    The bytes are the same, so a kill in the middle changes nothing.
    """
    if not path.exists():
        return
    fd = open_file(path, os.O_RDWR)
    try:
        while block := os.pread(fd, _BLOCK, offset):
            offset += os.pwrite(fd, block, offset)
        os.fsync(fd)
    finally:
        os.close(fd)


def read_lines(path: Path, *, start: int = 0) -> Iterator[tuple[int, LedgerLine]]:
    """Each line with its offset in bytes, in the file's order.

    Args:
        path: the ledger. What follows its last newline is not read.
        start: the offset of the first line to read; all lines from there on have checksums.

    Raises:
        UsageError: a line is not a ledger line, or of a newer format; the error states its number and the reason.
    """
    if not path.exists():
        return
    with open_to_read(path) as ledger:
        check, lines = LineCheck(from_start=start == 0, newest=LEDGER_FORMAT), LineReader(ledger.fileno())
        for number, offset, raw in whole_lines(ledger, start):
            try:
                line = lines.read(check.record(raw), offset)
            except (ValueError, TypeError) as error:
                raise refusal(path, start, number, error) from None
            yield offset, line


def whole_lines(ledger: BinaryIO, start: int) -> Iterator[tuple[int, int, bytes]]:
    """Each line after `start`: its number from there, counted from 1, its offset, and its bytes with their newline.

    A torn or incomplete last line is left out, unless it lacks only its newline.
    """
    offset = start
    ledger.seek(start)
    for number, raw in enumerate(ledger, start=1):
        whole = raw if raw[-1] == _NEWLINE else mended(raw)
        if whole is None:
            return
        yield number, offset, whole
        offset += len(raw)


def refusal(path: Path, start: int, number: int, error: Exception) -> UsageError:
    """The error for the `number`-th line of a ledger after the offset `start`."""
    where = f"{path}: line {number + _lines_before(start, path)}"
    if isinstance(error, NewerFormatError):
        return UsageError(f"{where}: {error}; nothing was sent", hint="use that version for this run folder")
    return UsageError(
        f"{where} is damaged ({error}); nothing was sent",
        hint=f"llmbatch repair {quoted(path.parent)} moves damaged lines aside; their rows are sent again",
    )


def fewest_lines(path: Path) -> int:
    """A low estimate of how many lines a ledger has, from the length of its first ones."""
    if not path.exists():
        return 0
    with open_to_read(path) as ledger:
        beginning = ledger.read(_BLOCK)
        size = ledger.seek(0, os.SEEK_END)
    return size * beginning.count(b"\n") // max(len(beginning), 1) * 3 // 4


@dataclass(frozen=True, slots=True)
class Salvaged:
    """Damaged lines that were moved out of a log."""

    lines: int
    aside: Path


def salvage_ledger(path: Path) -> Salvaged | None:
    """Move every damaged line of a ledger aside, as `salvage` does."""
    if not path.exists():
        return None
    with open_to_read(path) as ledger:
        return salvage(path, newest=LEDGER_FORMAT, read=LineReader(ledger.fileno()).read, write=LineWriter().encode)


def salvage(
    path: Path, *, newest: int, read: Callable[[bytes, int], _Line], write: Callable[[_Line], bytes]
) -> Salvaged | None:
    """Move every damaged line of a log to `NAME.salvaged-N`, and keep the others in order.

    Args:
        path: a log of sealed lines. What follows its last newline is not read.
        newest: the newest format of such lines.
        read: parses a record without its seal, given its offset.
        write: returns its sealed bytes again.

    Returns:
        What was moved; None if every line is valid.

    Raises:
        UsageError: a line is of a newer format.
    """
    bad = [raw for raw, line in _judged(path, newest, read) if line is None]
    if not bad:
        return None
    name, aside = create_numbered(path.parent, f"{path.stem}.salvaged")
    with aside:
        aside.writelines(bad)
        aside.flush()
        os.fsync(aside.fileno())
    with replacing(path) as kept:
        for _, line in _judged(path, newest, read):
            if line is not None:
                kept.write(write(line))
    return Salvaged(len(bad), name)


def _judged(path: Path, newest: int, read: Callable[[bytes, int], _Line]) -> Iterator[tuple[bytes, _Line | None]]:
    """Each line's bytes, and its parsed content; None if it is damaged."""
    if not path.exists():
        return
    check = LineCheck(from_start=True, newest=newest)
    with open_to_read(path) as log:
        for number, offset, raw in whole_lines(log, 0):
            try:
                line = read(check.record(raw), offset)
            except NewerFormatError as error:
                raise refusal(path, 0, number, error) from None
            except (ValueError, TypeError):
                yield raw, None
            else:
                yield raw, line


def _lines_before(offset: int, path: Path) -> int:
    with open_to_read(path) as file:
        return sum(file.read(min(_BLOCK, offset - start)).count(b"\n") for start in range(0, offset, _BLOCK))


def _end_of_last_line(path: Path) -> int:
    """The offset after the last newline, found from the end."""
    with open_to_read(path) as file:
        position = file.seek(0, os.SEEK_END)
        while position > 0:
            start = max(position - _BLOCK, 0)
            file.seek(start)
            newline = file.read(position - start).rfind(b"\n")
            if newline != -1:
                return start + newline + 1
            position = start
    return 0
