"""Tables for all reports: no frames, no trailing blanks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

_NARROWEST_NAME, _MARGIN = 12, 2
_NO_EDGE = 1_000
"""Width for a file: no line is cut or wrapped."""


def edge(console: Console) -> int | None:
    """The width of a terminal in columns; None for a file or pipe, which has none."""
    return console.width if console.file.isatty() else None


def print_stripped(console: Console, parts: Iterable[RenderableType], *, may_be_wide: bool = False) -> None:
    """Print without the trailing blanks that tables add, which are noise in a log.

    Args:
        console: where to print.
        parts: what to print.
        may_be_wide: do not wrap lines in a file or pipe.
    """
    if may_be_wide and edge(console) is None:
        console.width = max(console.width, _NO_EDGE)
    with console.capture() as captured:
        console.print(Group(*map(_indented, parts)))
    for line in captured.get().splitlines():
        console.file.write(f"{line.rstrip()}\n")
    console.file.flush()


def _indented(part: RenderableType) -> RenderableType:
    """A line that begins with blanks, such that its continuation lines have the same indentation."""
    indent = len(part.plain) - len(part.plain.lstrip(" ")) if isinstance(part, Text) else 0
    return Padding(part[indent:], (0, 0, 0, indent), expand=False) if isinstance(part, Text) and indent else part


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table that is fitted into a width."""

    heading: str
    cells: Sequence[Text]
    rank: int = 0
    """If there is not enough room, columns with the highest rank are dropped first; rank 0 is never dropped."""
    is_text: bool = False
    """If False, it contains figures, which are right-aligned."""

    @property
    def width(self) -> int:
        """Width of the longest cell."""
        return max(len(self.heading), *(cell.cell_len for cell in self.cells))


def fitted(names: Column, figures: Sequence[Column], width: int | None) -> tuple[Table, list[str]]:
    """A table whose names are never cut: less important figures are left out, then names are wrapped.

    Args:
        names: the first column.
        figures: the others.
        width: of the terminal, including a margin of two columns; None if nothing has to be left out.

    Returns:
        The table, and the headings of the columns that were left out.
    """
    kept = list(figures)
    width = None if width is None else width - _MARGIN
    least_name = names.width if width is None else min(names.width, max(width * 2 // 5, _NARROWEST_NAME))
    while width is not None and least_name + 2 + _width(kept) > width and any(column.rank for column in kept):
        least = max(kept, key=lambda column: column.rank)
        kept = [column for column in kept if column is not least]
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", show_edge=False, pad_edge=False)
    table.add_column(
        names.heading,
        overflow="fold",
        min_width=names.width if width is None else min(names.width, max(width - _width(kept) - 2, _NARROWEST_NAME)),
        no_wrap=width is None,
    )
    for column in kept:
        table.add_column(
            column.heading, justify="left" if column.is_text else "right", no_wrap=True, min_width=column.width
        )
    for number, name in enumerate(names.cells):
        table.add_row(name, *(column.cells[number] for column in kept))
    return table, [column.heading for column in figures if column not in kept]


def _width(columns: Sequence[Column]) -> int:
    return sum(column.width + 2 for column in columns) - 2


def columns(*headings: str, first_width: int) -> Table:
    """A table whose first column is text and whose others are figures.

    Args:
        headings: one per column.
        first_width: maximum width of the first one.
    """
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", show_edge=False, pad_edge=False)
    table.add_column(headings[0], overflow="fold", max_width=first_width, min_width=len(headings[0]))
    for heading in headings[1:]:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def section(title: str | None, *parts: RenderableType) -> RenderableType:
    """Parts that belong together, under a heading if there is one."""
    heading = [] if title is None else [Text(f"  {title}", style="bold")]
    return Group(Text(), *heading, *(Padding(part, (0, 0, 0, 2), expand=False) for part in parts))
