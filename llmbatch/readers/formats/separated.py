"""Text tables: CSV, TSV and the like. A header, then one record per row."""

from collections.abc import Iterator
from dataclasses import dataclass

from llmbatch.core.errors import UsageError
from llmbatch.core.plurals import counted
from llmbatch.readers.columns import distinct_names
from llmbatch.readers.dialect import Dialect, dialect_of
from llmbatch.readers.faults import TORN, BadRow, BrokenStream, Fault
from llmbatch.readers.formats.format import Content, Parsed, Records, Unread
from llmbatch.readers.lines import Line, Lines
from llmbatch.readers.options import ReaderOptions
from llmbatch.readers.quoting import csv_record, tsv_cells

_LINES_LOOKED_AT = 60
_HEADER_HINTS = {
    "bad_encoding": "specify its encoding: --encoding NAME, or detect it: --encoding auto",
    "bad_csv": "use --quote none if quotes are text, or --escape if a character precedes them",
}


@dataclass(frozen=True, slots=True)
class _Separated:
    name: str
    suffixes: tuple[str, ...]
    is_text = True
    is_typed = False

    def read(self, content: Content, options: ReaderOptions) -> Records:
        lines = Lines(content.chunks, options.max_row_bytes)
        try:
            table = _Table(content, lines, self.name, options)
        except BrokenStream as broken:
            whole = () if broken.kind == TORN else (Unread(1, b"", broken.kind, broken.message),)
            return Records(iter(whole), names=())
        findings = content.findings + table.findings
        return Records(
            table.records(), names=table.names, findings=findings, written=table.written, at_end=table.put_right
        )

    def count(self, content: Content, options: ReaderOptions) -> int:
        return sum(1 for _ in self.read(content, options).items)


CSV = _Separated("csv", (".csv",))
TSV = _Separated("tsv", (".tsv", ".tab"))
PSV = _Separated("psv", (".psv",))


class _Table:
    """A table whose dialect and header are known, and whose records have not been read yet."""

    def __init__(self, content: Content, lines: Lines, file_format: str, options: ReaderOptions) -> None:
        """Read up to the first record.

        Raises:
            UsageError: the dialect is in doubt, or the header cannot be used.
            BrokenStream: the stream breaks before its first record.
        """
        self._lines, self._limit = lines, options.max_row_bytes
        self._short = self._empty = 0
        ahead = lines.ahead(_LINES_LOOKED_AT + options.skip_lines, waits=not content.is_live)
        first = [line for line in ahead if isinstance(line, bytes)]
        self._dialect = dialect_of(content.file, first, file_format, options)
        self._skip(self._dialect.skipped_lines)
        found = self._header(content.file)
        self.names, remarks = ((), ()) if found is None else _named(found, self._dialect)
        self.findings = self._dialect.findings + remarks

    @property
    def written(self) -> dict[str, str | int | bool]:
        """The dialect, by the names of the options that set it."""
        dialect, quoting = self._dialect, self._dialect.quoting
        return {
            "delimiter": quoting.delimiter.decode(),
            "quote": quoting.quote.decode(),
            "escape": quoting.escape.decode(),
            "header": dialect.has_header,
            "skip_lines": dialect.skipped_lines,
        }

    def put_right(self) -> tuple[str, ...]:
        """What has been skipped and filled in so far."""
        empty = f"{counted(self._empty, 'empty row')} skipped"
        short = f"{counted(self._short, 'row')} with fewer cells than the header, padded with empty cells"
        return tuple(words for words, count in ((empty, self._empty), (short, self._short)) if count)

    def records(self) -> Iterator[Parsed | Unread]:
        """The records below the header."""
        lines, names, quoting = self._lines, self.names, self._dialect.quoting
        width, delimiter = len(names), quoting.delimiter.decode()
        quote, escape = quoting.quote or b"\n", quoting.escape or b"\n"  # no line contains it
        while names and (line := lines.take()) is not None:
            number = lines.number
            if isinstance(line, bytes) and quote not in line and escape not in line:
                raw = line.rstrip(b"\r")
                if not raw:
                    continue
                cells: list[str] | BadRow | Fault = _decoded(raw, delimiter)
            else:
                raw, cells = (line.raw, line) if isinstance(line, Fault) else self._cells(line, width)
            if isinstance(cells, list):
                cells = cells if len(cells) == width and cells[0] else self._fitted(cells, width)
            if isinstance(cells, list):
                if cells:
                    yield number, raw, dict(zip(names, cells, strict=True)), ()
            elif cells.kind != TORN:
                yield Unread(number, raw, cells.kind, cells.message)
                if isinstance(cells, Fault) and cells.ends_stream:
                    return

    def _skip(self, lines: int) -> None:
        for _ in range(lines):
            self._lines.take()

    def _header(self, file: str) -> list[str] | None:
        """The cells of the first record, which is not consumed if it is not a header; None if there is none."""
        first = self._first_line(file)
        if first is None:
            return None
        before = self._lines.number
        _, cells = self._cells(first, None)
        if isinstance(cells, Fault):
            raise BrokenStream(cells.kind, cells.message)
        if isinstance(cells, BadRow):
            raise UsageError(f"{file}: the header {cells.message}", hint=_HEADER_HINTS[cells.kind])
        if not self._dialect.has_header:
            if self._lines.number != before:
                raise UsageError(
                    f"{file}: its first row spans several lines, so its columns cannot be counted",
                    hint="give the table a header",
                )
            self._lines.give_back([first])
        return cells

    def _first_line(self, file: str) -> bytes | None:
        """The first line that is not empty."""
        line: Line | None
        while (line := self._lines.take()) is not None:
            if isinstance(line, bytes):
                if line.rstrip(b"\r"):
                    return line
            elif line.ends_stream:
                raise BrokenStream(line.kind, line.message)
            else:
                raise UsageError(f"{file}: the header {line.message}", hint="is it a table?")
        return None

    def _cells(self, line: bytes, width: int | None) -> tuple[bytes, list[str] | BadRow | Fault]:
        if self._dialect.keeps_quotes:
            return line.rstrip(b"\r"), _each_decoded(tsv_cells(line, width))
        quoting = self._dialect.quoting
        raw, outcome = csv_record(line, self._lines, quoting=quoting, width=width, limit=self._limit)
        return raw.rstrip(b"\r"), _each_decoded(outcome) if isinstance(outcome, list) else outcome

    def _fitted(self, cells: list[str], width: int) -> list[str] | BadRow:
        """A row's cells, one per column; an empty list if all are empty, as spreadsheets write such rows."""
        if width > 1 and not any(map(str.strip, cells)):
            self._empty += 1
            return []
        if len(cells) < width:
            self._short += 1
            return cells + [""] * (width - len(cells))
        if any(cells[width:]):
            return BadRow("bad_columns", f"has {len(cells)} cells, the header has {width}")
        return cells[:width]


def _named(found: list[str], dialect: Dialect) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The columns' names, and what was done to them."""
    if not dialect.has_header:
        return tuple(f"column_{number}" for number in range(1, len(found) + 1)), ("no header",)
    return distinct_names(found)


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
