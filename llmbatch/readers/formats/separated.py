"""CSV and TSV: a header, then one record a row."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from llmbatch.errors import UsageError
from llmbatch.readers.faults import TORN, BadRow, BrokenStream, Fault
from llmbatch.readers.fields import listed
from llmbatch.readers.formats.format import Content, Parsed, Records, Unread
from llmbatch.readers.lines import Lines
from llmbatch.readers.options import ReaderOptions
from llmbatch.readers.quoting import csv_record, tsv_cells

_COMMA, _SEMICOLON, _TAB = b",", b";", b"\t"
_QUOTED = re.compile(rb'"[^"]*"')

_Record = tuple[int, bytes, list[str] | BadRow]
"""A record's first line, its raw bytes, and its cells or what is wrong with it."""


@dataclass(frozen=True, slots=True)
class _Separated:
    name: str
    suffixes: tuple[str, ...]
    is_typed = False

    def read(self, content: Content, options: ReaderOptions) -> Records:
        table = Table(content.chunks, self.name, options.max_row_bytes)
        try:
            header = table.header(content.file)
        except BrokenStream as broken:
            whole = () if broken.kind == TORN else (Unread(1, b"", broken.kind, broken.message),)
            return Records(iter(whole), names=())
        return Records(_records(table, header), names=tuple(header))

    def count(self, content: Content, options: ReaderOptions) -> int:
        return sum(1 for _ in self.read(content, options).items)


CSV = _Separated("csv", (".csv",))
TSV = _Separated("tsv", (".tsv",))


def _records(table: "Table", header: list[str]) -> Iterator[Parsed | Unread]:
    for line, raw, cells in table.records(len(header)) if header else ():
        if isinstance(cells, BadRow):
            yield Unread(line, raw, cells.kind, cells.message)
        else:
            yield line, raw, dict(zip(header, cells, strict=True)), ()


class Table:
    """The records of a stream, the header first, whatever is in them."""

    def __init__(self, chunks: Iterator[bytes], file_format: str, limit: int) -> None:
        self._lines = Lines(chunks, limit)
        self._is_tsv = file_format == "tsv"
        self._limit = limit
        self.delimiter = _TAB if self._is_tsv else _COMMA

    def header(self, file: str) -> list[str]:
        """The columns' names; none in an empty file.

        Raises:
            UsageError: there is a header and it is not usable.
            BrokenStream: the stream breaks before its end.
        """
        first = self._first_line(file)
        if first is None:
            return []
        if not self._is_tsv:
            self.delimiter = _sniffed_delimiter(first)
        _, cells = self._cells(first, None)
        if isinstance(cells, Fault):
            raise BrokenStream(cells.kind, cells.message)
        if isinstance(cells, BadRow):
            raise UsageError(f"{file}: the header {cells.message}")
        _refuse_unclear(file, cells)
        return cells

    def records(self, width: int) -> Iterator[_Record]:
        """What stands below the header.

        Args:
            width: the number of cells that a row must have.
        """
        lines, delimiter = self._lines, self.delimiter.decode()
        while (line := lines.take()) is not None:
            number = lines.number
            if isinstance(line, bytes) and b'"' not in line:
                raw = line.removesuffix(b"\r")
                if raw:
                    yield number, raw, _checked(_decoded(raw, delimiter), width)
                continue
            raw, cells = (line.raw, line) if isinstance(line, Fault) else self._cells(line, width)
            if not isinstance(cells, Fault):
                yield number, raw, _checked(cells, width)
            elif cells.kind != TORN:
                yield number, cells.raw, BadRow(cells.kind, cells.message)
                if cells.ends_stream:
                    return

    def _first_line(self, file: str) -> bytes | None:
        """The first line with something in it."""
        while (line := self._lines.take()) is not None:
            if isinstance(line, bytes):
                if line.removesuffix(b"\r"):
                    return line
            elif line.ends_stream:
                raise BrokenStream(line.kind, line.message)
            else:
                raise UsageError(f"{file}: the header {line.message}", hint="is it a CSV or TSV file?")
        return None

    def _cells(self, line: bytes, width: int | None) -> tuple[bytes, list[str] | BadRow | Fault]:
        if self._is_tsv:
            return line.removesuffix(b"\r"), _each_decoded(tsv_cells(line, width))
        raw, outcome = csv_record(line, self._lines, delimiter=self.delimiter, width=width, limit=self._limit)
        return raw.removesuffix(b"\r"), _each_decoded(outcome) if isinstance(outcome, list) else outcome


def _sniffed_delimiter(header: bytes) -> bytes:
    """What stands between the cells of a file that is named CSV."""
    unquoted = _QUOTED.sub(b"", header)
    return next((mark for mark in (_COMMA, _SEMICOLON, _TAB) if mark in unquoted), _COMMA)


def _decoded(raw: bytes, delimiter: str) -> list[str] | BadRow:
    try:
        return raw.decode().split(delimiter)
    except UnicodeDecodeError as bad:
        return _bad_encoding(bad)


def _each_decoded(cells: list[bytes]) -> list[str] | BadRow:
    try:
        return [cell.decode() for cell in cells]
    except UnicodeDecodeError as bad:
        return _bad_encoding(bad)


def _bad_encoding(bad: UnicodeDecodeError) -> BadRow:
    return BadRow("bad_encoding", f"is not UTF-8 (byte 0x{bad.object[bad.start]:02x})")


def _checked(cells: list[str] | BadRow, width: int) -> list[str] | BadRow:
    if isinstance(cells, BadRow) or len(cells) == width:
        return cells
    plural = "" if len(cells) == 1 else "s"
    return BadRow("bad_columns", f"has {len(cells)} cell{plural}, the header has {width}")


def _refuse_unclear(file: str, names: list[str]) -> None:
    """Two columns of one name cannot both be fields of a row."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice == [""]:
        raise UsageError(f"{file}: the header has more than one column without a name", hint="name them")
    if twice:
        raise UsageError(f"{file}: the header has columns of the same name: {listed(twice)}", hint="rename them")
