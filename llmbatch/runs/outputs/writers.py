"""Writes records: JSON lines, or CSV whose cells spreadsheets do not evaluate as formulas."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO, Protocol

from llmbatch.core.jsonlines import as_text, dump_line
from llmbatch.core.sanitize import PROTECTED, csv_safe


class RecordWriter(Protocol):
    """Takes records one by one."""

    def write(self, record: Mapping[str, Any]) -> None:
        """Add a record."""

    def close(self) -> None:
        """Write what is still buffered; the owner closes the file."""


class JsonlWriter:
    """One JSON object per line."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, record: Mapping[str, Any]) -> None:
        """Add a record."""
        self._file.write(dump_line(record))

    def close(self) -> None:
        """Leave the file to its owner."""


class CsvWriter:
    """RFC 4180 with a header; cells that a spreadsheet would evaluate as formulas get a leading apostrophe.

    The last column, `PROTECTED`, names the columns of the row that got one, so that it can be removed again.
    """

    def __init__(self, file: BinaryIO, columns: Sequence[str], *, bom: bool = False) -> None:
        """Write the header.

        Args:
            file: the file.
            columns: the fields of the records, in order.
            bom: begin with a byte order mark, by which Excel recognizes UTF-8.
        """
        self._text = io.TextIOWrapper(file, encoding="utf-8-sig" if bom else "utf-8", newline="", write_through=True)
        self._writer = csv.writer(self._text)
        self._columns = tuple(columns)
        self._headings = tuple(f"input_{name}" if name == PROTECTED else csv_safe(name) for name in columns)
        self._writer.writerow((*self._headings, PROTECTED))

    def write(self, record: Mapping[str, Any]) -> None:
        """Add a record; columns that it lacks stay empty."""
        cells = [cell(record.get(name)) for name in self._columns]
        safe = [csv_safe(cell) for cell in cells]
        protected = [name for name, cell, meant in zip(self._headings, safe, cells, strict=True) if cell != meant]
        self._writer.writerow((*safe, ";".join(protected)))
        self._text.flush()

    def close(self) -> None:
        """Leave the file to its owner."""
        self._text.detach()


def cell(value: Any) -> str:
    """A value as a text cell; empty for None."""
    return "" if value is None else as_text(value)
