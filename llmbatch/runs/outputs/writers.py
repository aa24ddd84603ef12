"""Writing records: JSON lines, or CSV that no spreadsheet takes for formulas."""

import csv
import io
from collections.abc import Sequence
from typing import Any, BinaryIO, Protocol

from llmbatch.core.jsonlines import dump_line
from llmbatch.core.sanitize import csv_safe
from llmbatch.exact_numbers import Number


class RecordWriter(Protocol):
    """Takes records one by one."""

    def write(self, record: dict[str, Any]) -> None:
        """Add a record."""


class JsonlWriter:
    """One JSON object a line."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, record: dict[str, Any]) -> None:
        """Add a record."""
        self._file.write(dump_line(record))


class CsvWriter:
    """RFC 4180 with a header; cells that a spreadsheet would run as formulas get a leading apostrophe."""

    def __init__(self, file: BinaryIO, columns: Sequence[str]) -> None:
        self._text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        self._writer = csv.writer(self._text)
        self._columns = tuple(columns)
        self._writer.writerow(_headings(columns))

    def write(self, record: dict[str, Any]) -> None:
        """Add a record; columns that it lacks stay empty."""
        self._writer.writerow([_cell(record.get(name)) for name in self._columns])
        self._text.flush()

    def detach(self) -> None:
        """Leave the file to its owner."""
        self._text.detach()


def _headings(columns: Sequence[str]) -> list[str]:
    """The columns' names as cells, no two alike: a name that is made safe may be another column's."""
    taken, headings = {name for name in columns if csv_safe(name) == name}, []
    for name in columns:
        heading = csv_safe(name)
        while heading != name and heading in taken:
            heading = f"input_{heading}"
        taken.add(heading)
        headings.append(heading)
    return headings


def _cell(value: Any) -> Any:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case Number():
            return value.literal
        case int() | float():
            return value
        case str():
            return csv_safe(value)
        case _:
            return csv_safe(dump_line(value).decode().rstrip("\n"))
