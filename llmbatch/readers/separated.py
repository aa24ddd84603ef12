"""CSV and TSV: a header, then one record a row."""

import re
from collections import Counter
from collections.abc import Callable, Iterator

from llmbatch.errors import UsageError
from llmbatch.readers.faults import TORN, BadRow, BrokenStream, Fault
from llmbatch.readers.fields import FieldChoice, RowMaker, choose_by_name, listed
from llmbatch.readers.lines import Lines
from llmbatch.readers.options import ReaderOptions
from llmbatch.readers.quoting import csv_record, tsv_cells
from llmbatch.rows import Place, Rejection, Row

_COMMA, _SEMICOLON, _TAB = b",", b";", b"\t"
_QUOTED = re.compile(rb'"[^"]*"')

_Record = tuple[int, bytes, list[str] | BadRow]
"""A record's first line, its raw bytes, and its cells or what is wrong with it."""


def read_separated(
    chunks: Iterator[bytes],
    file: str,
    file_format: str,
    options: ReaderOptions,
    indices: Iterator[int],
    on_fields: Callable[[FieldChoice], None],
) -> Iterator[Row | Rejection]:
    """The rows of one CSV or TSV stream.

    Args:
        chunks: the stream's bytes.
        file: its name, for places.
        file_format: `csv` or `tsv`.
        options: which columns to take.
        indices: gives each row its index.
        on_fields: told which columns are taken, before the first row.

    Raises:
        UsageError: the header cannot be used, or has not the columns wanted.
    """
    table = Table(chunks, file_format, options.max_row_bytes)
    try:
        header = table.header(file)
    except BrokenStream as broken:
        if broken.kind != TORN:
            yield Rejection(next(indices), Place(file, 1), broken.kind, broken.message, b"")
        return
    if not header:
        return
    choice = _choose(file, header, options, table.delimiter.decode())
    on_fields(choice)
    maker = RowMaker(file, choice, options)
    for line, raw, cells in table.records(len(header)):
        index = next(indices)
        if isinstance(cells, BadRow):
            yield Rejection(index, Place(file, line), cells.kind, cells.message, raw)
        else:
            yield maker.make(index, line, raw, dict(zip(header, cells, strict=True)))


def count_separated(chunks: Iterator[bytes], file: str, file_format: str, options: ReaderOptions) -> int:
    """How many rows `read_separated` gives; its arguments and its errors are the same."""
    table = Table(chunks, file_format, options.max_row_bytes)
    try:
        header = table.header(file)
    except BrokenStream as broken:
        return 0 if broken.kind == TORN else 1
    return sum(1 for _ in table.records(len(header))) if header else 0


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


def _choose(file: str, header: list[str], options: ReaderOptions, delimiter: str) -> FieldChoice:
    asked = [*options.text_fields, *([options.id_field] if options.id_field is not None else [])]
    for name in asked:
        if name not in header:
            raise UsageError(f"{file}: there is no column {name!r}", hint=f"columns are {listed(header)}")
    choice = choose_by_name(file, header, options, delimiter=delimiter)
    if choice is None:
        raise UsageError(
            f"{file}: no column looks like the text; columns are {listed(header)}",
            hint="say which one it is: --text-field NAME",
        )
    return choice
