"""Extracts cells from the lines of CSV (RFC 4180) and TSV records, with any delimiter, quote and escape.

An unclosed quote must not swallow the rows after it: if a quoted cell is not closed, the line that opened it is
rejected and reading continues after that line. Looking ahead cannot become quadratic: a line that leaves a quote open,
read as the inside of an earlier quote, closes that one, and so is an error there or fills a cell; and a record has no
more cells than the header.
"""

import re
from dataclasses import dataclass
from functools import cached_property

from llmbatch.readers.faults import RAW_EXCERPT_BYTES, BadRow, Fault
from llmbatch.readers.lines import Line, Lines

_QUOTE = b'"'

_UNESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"0": b"\0", b"b": b"\b", b"Z": b"\x1a"}
"""After a backslash, as MySQL writes them (`SELECT ... INTO OUTFILE`); any other character stands for itself."""


@dataclass(frozen=True)
class Quoting:
    """How cells are delimited. Each value is one byte; `quote` is empty if quotes are text."""

    delimiter: bytes = b","
    quote: bytes = _QUOTE
    escape: bytes = b""

    @cached_property
    def inside(self) -> "re.Pattern[bytes]":
        """The inside of a quoted cell: up to a quote that is not doubled, or to the end."""
        quote, escape = re.escape(self.quote), re.escape(self.escape)
        plain = b"[^%s%s]*+" % (quote, escape)
        special = b"%s%s" % (quote, quote) + (b"|%s." % escape if escape else b"")
        return re.compile(b"%s(?:(?:%s)%s)*+" % (plain, special, plain), re.DOTALL)

    @cached_property
    def outside(self) -> "re.Pattern[bytes]":
        """An unquoted cell, up to its delimiter or to the end."""
        delimiter, escape = re.escape(self.delimiter), re.escape(self.escape)
        if not escape:
            return re.compile(b"[^%s]*+" % delimiter, re.DOTALL)
        return re.compile(b"(?:[^%s%s]|%s.)*+" % (delimiter, escape, escape), re.DOTALL)

    def without_line_end(self, line: bytes) -> bytes:
        """A line without the carriage returns at its end, except one that is escaped."""
        body = line.rstrip(b"\r")
        if self.escape and len(line) > len(body) + 1:
            escapes = len(body) - len(body.rstrip(self.escape))
            return line[: len(body) + escapes % 2]
        return body

    def meant(self, cell: bytes, *, is_quoted: bool) -> bytes:
        """The content of a cell, with quotes and escapes resolved. MySQL's NULL counts as empty."""
        if is_quoted:
            cell = cell.replace(self.quote * 2, self.quote)
        if not self.escape or self.escape not in cell:
            return cell
        if cell == self.escape + b"N" and not is_quoted:
            return b""
        return self._escaped.sub(lambda match: _UNESCAPED.get(match[1], match[1]), cell)

    @cached_property
    def _escaped(self) -> "re.Pattern[bytes]":
        return re.compile(re.escape(self.escape) + b"(.)", re.DOTALL)


_TSV = Quoting(b"\t")

Outcome = list[bytes] | BadRow | Fault


def csv_record(first: bytes, lines: Lines, *, quoting: Quoting, width: int | None, limit: int) -> tuple[bytes, Outcome]:
    """One record whose first line has quotes in it.

    Args:
        first: that line, just taken from `lines`.
        lines: the source of further lines; those that turn out not to belong to the record are given back.
        quoting: how its cells are delimited.
        width: how many cells a row has; None for the header.
        limit: the maximum size of the record in bytes.

    Returns:
        The record's bytes with its cells, or with what is wrong; a fault if the stream broke inside the record.
    """
    record = _Record(quoting)
    taken: list[bytes] = []
    size = 0
    line: Line | None = first
    while isinstance(line, bytes):
        taken.append(line)
        size += len(line) + 1
        if record.feed(line):
            if width is None or len(record.cells) <= width or record.escaped_in is None:
                return b"\n".join(taken), record.cells
            break
        if record.is_misquoted or size > limit or (width is not None and len(record.cells) >= width):
            break
        line = lines.take()
    if isinstance(line, Fault):
        raw = b"\n".join(taken)
        if line.ends_stream:
            return raw, Fault(line.kind, line.message, raw[:RAW_EXCERPT_BYTES])
        lines.give_back([line])
    kept = (record.opened_in if record.escaped_in is None else record.escaped_in) + 1
    lines.give_back(taken[kept:])
    return b"\n".join(taken[:kept]), BadRow("bad_csv", record.complaint)


def tsv_cells(line: bytes, width: int | None) -> list[bytes]:
    """The cells of a TSV line with quotes in it.

    Many TSV files do not use quoting, and their quotes are text. Therefore a cell counts as quoted only if it ends with
    the matching quote, and a tab is part of a cell only if the line would otherwise have too many cells.

    Args:
        line: one line.
        width: how many cells a row has; None for the header.
    """
    line = line.rstrip(b"\r")
    cells = line.split(b"\t")
    if width is not None and len(cells) > width:
        record = _Record(_TSV)
        if record.feed(line) and len(record.cells) == width:
            return record.cells
    return [_unquoted(cell) if cell.startswith(_QUOTE) else cell for cell in cells]


def is_misquoted(line: bytes, quoting: Quoting) -> bool:
    """Whether text follows a closing quote in a line, which makes the line invalid with this quoting."""
    record = _Record(quoting)
    record.feed(line)
    return record.is_misquoted


def _unquoted(cell: bytes) -> bytes:
    inside = _TSV.inside.match(cell, 1)
    if len(cell) < len(b'""') or inside is None or inside.end() != len(cell) - 1:
        return cell
    return cell[1:-1].replace(b'""', _QUOTE)


class _Record:
    """The cells of one record, whose lines are fed one by one until it is complete."""

    def __init__(self, quoting: Quoting) -> None:
        self._quoting = quoting
        self._lines = 0
        self._open: list[bytes] | None = None
        self._is_quoted = False
        self._opened_at = 0
        self._closed_at = 0
        self.opened_in = 0
        """The line that opened the last cell that may span lines, from 0."""
        self.escaped_in: int | None = None
        """The first line whose end was escaped outside quotes, from 0. It may have been meant as text."""
        self.is_misquoted = False
        self.cells: list[bytes] = []

    @property
    def complaint(self) -> str:
        """What is wrong with a record that did not become complete."""
        where = f"column {self._opened_at + 1}"
        if self.opened_in:
            where = f"column {self._opened_at + 1} of the record's line {self.opened_in + 1}"
        if self.is_misquoted and self._lines == self.opened_in + 1:
            return f"text follows the closing quote at column {self._closed_at + 1}"
        if self.escaped_in is not None:
            return "line end is escaped, and the next line is a row of its own"
        return f"quote opened at {where} is never closed"

    def feed(self, line: bytes) -> bool:
        """Add the next line; returns whether the record ends with it."""
        body = self._quoting.without_line_end(line)
        self._lines += 1
        at = 0
        while True:
            begin = at
            if self._open is None:
                self._open, self._opened_at, self.opened_in = [], at, self._lines - 1
                self._is_quoted = bool(self._quoting.quote) and body.startswith(self._quoting.quote, at)
                begin += self._is_quoted
            end = self._close(line, body, begin) if self._is_quoted else self._end(line, body, begin)
            if end is None:
                return False
            if end == len(body):
                return True
            at = end + 1

    def _end(self, line: bytes, body: bytes, at: int) -> int | None:
        """Add the unquoted cell at `at`; returns the position after it, unless its line end is escaped."""
        found = self._quoting.outside.match(body, at)
        end = len(body) if found is None else found.end()
        parts = self._open or []
        if end != len(body) and body[end:] == self._quoting.escape:
            self._open = [*parts, line[at:]]
            self.escaped_in = self._lines - 1 if self.escaped_in is None else self.escaped_in
            return None
        self.cells.append(self._quoting.meant(b"\n".join((*parts, body[at:end])), is_quoted=False))
        self._open = None
        return end

    def _close(self, line: bytes, body: bytes, at: int) -> int | None:
        """Add the open cell's inside from `at`; returns the position after its closing quote, if it is in this line."""
        inside = self._quoting.inside.match(body, at)
        closing = inside.end() if inside is not None else at
        parts = self._open if self._open is not None else []
        if closing == len(body) or body[closing:] == self._quoting.escape:  # the escape applies to the line's end
            parts.append(line[at:])
            return None
        end = closing + 1
        if end != len(body) and not body.startswith(self._quoting.delimiter, end):
            self.is_misquoted, self._closed_at = True, closing
            return None
        self.cells.append(self._quoting.meant(b"\n".join((*parts, line[at:closing])), is_quoted=True))
        self._open = None
        return end
