"""Tables as all reports have them: no frames, no trailing blanks."""

from collections.abc import Iterable

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text


def print_stripped(console: Console, parts: Iterable[RenderableType]) -> None:
    """Print without the blanks that tables pad their lines with, which are noise in a log."""
    with console.capture() as captured:
        console.print(Group(*parts))
    for line in captured.get().splitlines():
        console.file.write(f"{line.rstrip()}\n")
    console.file.flush()


def columns(*headings: str, first_width: int) -> Table:
    """A table whose first column is text and whose others are figures.

    Args:
        headings: one a column.
        first_width: the most that the first one takes.
    """
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", show_edge=False, pad_edge=False)
    table.add_column(headings[0], overflow="fold", max_width=first_width, min_width=len(headings[0]))
    for heading in headings[1:]:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def section(title: str | None, *parts: RenderableType) -> RenderableType:
    """What belongs together, under its heading if it has one."""
    heading = [] if title is None else [Text(f"  {title}", style="bold")]
    return Group(Text(), *heading, *(Padding(part, (0, 0, 0, 2), expand=False) for part in parts))
