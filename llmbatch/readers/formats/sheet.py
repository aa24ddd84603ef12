"""One sheet of a workbook, for all libraries that open one."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from llmbatch.readers.formats.format import Unread


class CellError:
    """The value of a cell whose formula has failed."""

    def __str__(self) -> str:
        return "#N/A"


CELL_ERROR = CellError()

SheetRows = Iterator[tuple[int, list[Any]] | Unread]
"""Each row with its number and its cells as JSON values, without empty ones at the end."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """The first visible sheet. `others` are the titles of the other visible ones."""

    title: str
    others: tuple[str, ...]
    rows: SheetRows = field(repr=False)


def trimmed(cells: list[Any]) -> list[Any]:
    """Cells without the empty ones at the end."""
    while cells and cells[-1] in (None, ""):
        cells.pop()
    return cells


def duration(span: timedelta) -> str:
    """Hours, minutes and seconds, as `30:15:00`."""
    minutes, seconds = divmod(round(span.total_seconds()), 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"
