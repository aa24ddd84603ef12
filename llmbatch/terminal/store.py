"""The answer cache, for people."""

from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from llmbatch.cache import StoreFigures
from llmbatch.core.plurals import counted
from llmbatch.core.sanitize import neutral
from llmbatch.terminal.figures import megabytes


def render_store(figures: StoreFigures, path: Path, console: Console) -> None:
    """Print a store's content."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    table.add_row("store", Text(neutral(str(path))))
    table.add_row("holds", f"{counted(figures.answers, 'answer')}, {megabytes(figures.bytes_on_disk)}")
    if figures.oldest is not None and figures.newest is not None:
        table.add_row("from", f"{_day(figures.oldest)} to {_day(figures.newest)}")
    for number, (model, count) in enumerate(figures.by_model.items()):
        table.add_row("" if number else "models", Text(f"{neutral(model)} {count:,}"))
    console.print(table)


def _day(timestamp: int) -> str:
    return f"{datetime.fromtimestamp(timestamp, UTC):%Y-%m-%d}"
