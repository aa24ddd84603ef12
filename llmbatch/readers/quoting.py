"""Cells out of the lines of CSV (RFC 4180) and TSV records.

An unclosed quote must not swallow the rows behind it: where a quoted cell does not close, the line that opened it
is given up and reading goes on behind that line. Looking ahead cannot become quadratic: a line that leaves a quote
open, read as the inside of an earlier quote, closes that one, and so is in error there or fills a cell; and a record
has no more cells than the header.
"""

import re

from llmbatch.readers.faults import RAW_EXCERPT_BYTES, BadRow, Fault
from llmbatch.readers.lines import Line, Lines

_QUOTE = b'"'

_INSIDE = re.compile(rb'[^"]*+(?:""[^"]*+)*+')
"""A quoted cell's inside, as far as it goes: up to a quote that stands alone, or to the end."""

Outcome = list[bytes] | BadRow | Fault


def csv_record(first: bytes, lines: Lines, *, delimiter: bytes, width: int | None, limit: int) -> tuple[bytes, Outcome]:
    """One record whose first line has quotes in it.

    Args:
        first: that line, just taken from `lines`.
        lines: where further lines are taken from; those that turn out not to belong to the record are given back.
        delimiter: what stands between cells.
        width: how many cells a row has; None for the header.
        limit: the record's bytes at most.

    Returns:
        The record's bytes with its cells, or with what is wrong; a fault where the stream broke inside the record.
    """
    record = _Record(delimiter)
    taken: list[bytes] = []
    size = 0
    line: Line | None = first
    while isinstance(line, bytes):
        taken.append(line)
        size += len(line) + 1
        if record.feed(line):
            return b"\n".join(taken), record.cells
        if record.is_misquoted or size > limit or (width is not None and len(record.cells) >= width):
            break
        line = lines.take()
    if isinstance(line, Fault):
        raw = b"\n".join(taken)
        if line.ends_stream:
            return raw, Fault(line.kind, line.message, raw[:RAW_EXCERPT_BYTES])
        lines.give_back([line])
    kept = record.opened_in + 1
    lines.give_back(taken[kept:])
    return b"\n".join(taken[:kept]), BadRow("bad_csv", record.complaint)


def tsv_cells(line: bytes, width: int | None) -> list[bytes]:
    """The cells of a TSV line with quotes in it.

    Many TSV files quote nothing, and their quotes are text. So a cell counts as quoted only if it ends in the quote
    that closes it, and a tab is a cell's text only where the line would have too many cells otherwise.

    Args:
        line: one line.
        width: how many cells a row has; None for the header.
    """
    line = line.removesuffix(b"\r")
    cells = line.split(b"\t")
    if width is not None and len(cells) > width:
        record = _Record(b"\t")
        if record.feed(line) and len(record.cells) == width:
            return record.cells
    return [_unquoted(cell) if cell.startswith(_QUOTE) else cell for cell in cells]


def _unquoted(cell: bytes) -> bytes:
    inside = _INSIDE.match(cell, 1)
    if len(cell) < len(b'""') or inside is None or inside.end() != len(cell) - 1:
        return cell
    return cell[1:-1].replace(b'""', _QUOTE)


class _Record:
    """The cells of one record, whose lines are fed one by one until it is complete."""

    def __init__(self, delimiter: bytes) -> None:
        self._delimiter = delimiter
        self._lines = 0
        self._open: list[bytes] | None = None
        self._opened_at = 0
        self._closed_at = 0
        self.opened_in = 0
        """The line that opened the last quoted cell, from 0."""
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
        return f"quote opened at {where} is never closed"

    def feed(self, line: bytes) -> bool:
        """Take in the next line; whether the record ends with it."""
        body = line.removesuffix(b"\r")
        self._lines += 1
        at = 0
        while True:
            if self._open is not None:
                end = self._close(line, body, at)
            elif body.startswith(_QUOTE, at):
                self._open, self._opened_at, self.opened_in = [], at, self._lines - 1
                end = self._close(line, body, at + 1)
            else:
                end = body.find(self._delimiter, at)
                end = len(body) if end < 0 else end
                self.cells.append(body[at:end])
            if end is None:
                return False
            if end == len(body):
                return True
            at = end + 1

    def _close(self, line: bytes, body: bytes, at: int) -> int | None:
        """Take in the open cell's inside from `at`; the place behind its closing quote, if that is in this line."""
        inside = _INSIDE.match(body, at)
        closing = inside.end() if inside is not None else at
        parts = self._open if self._open is not None else []
        if closing == len(body):
            parts.append(line[at:])
            return None
        end = closing + 1
        if end != len(body) and not body.startswith(self._delimiter, end):
            self.is_misquoted, self._closed_at = True, closing
            return None
        self.cells.append(b"\n".join((*parts, line[at:closing])).replace(b'""', _QUOTE))
        self._open = None
        return end
