"""A confusion matrix on a terminal: the darker a cell, the larger its share of the gold label's rows."""

from collections.abc import Sequence

from rich.style import Style
from rich.table import Table
from rich.text import Text

from llmbatch.core.sanitize import neutral

_NAME_WIDTH = 24
_GAP = 1
_RIGHT, _WRONG = (38, 110, 64), (178, 52, 42)
"""Full colour of a cell on the diagonal, and of one off it."""
_GROUND = (28, 32, 38)


def fitting(width: int, most: int) -> int:
    """How many labels fit into `width` columns if the largest count is `most`."""
    return max((width - _NAME_WIDTH - 4) // (_cell_width(most) + _GAP), 1)


def heatmap(labels: Sequence[str], matrix: Sequence[Sequence[int]], shares: Sequence[Sequence[float]]) -> Table:
    """The matrix, with gold labels as rows and answers as columns.

    Args:
        labels: of rows and columns.
        matrix: counts.
        shares: the counts as shares of a gold label's rows, 0..1.
    """
    width = _cell_width(max((count for row in matrix for count in row), default=0))
    table = Table.grid(padding=(0, _GAP, 0, 0))
    table.add_column(justify="right", style="dim")
    table.add_column(max_width=_NAME_WIDTH, no_wrap=True, overflow="ellipsis")
    for _ in labels:
        table.add_column(justify="right", no_wrap=True)
    table.add_row("", "", *(Text(f"{n:>{width}}", style="dim") for n in range(1, len(labels) + 1)))
    for n, label in enumerate(labels):
        cells = [_cell(count, shares[n][m], width, right=n == m) for m, count in enumerate(matrix[n])]
        table.add_row(str(n + 1), neutral(label, limit=_NAME_WIDTH), *cells)
    return table


def _cell(count: int, share: float, width: int, *, right: bool) -> Text:
    if not count:
        return Text(f"{'·':>{width}}", style="dim")
    full = _RIGHT if right else _WRONG
    strength = 0.25 + 0.75 * (share if right else min(share * 4, 1.0))  # a tenth of the rows being wrong is a lot
    red, green, blue = (round(low + (high - low) * strength) for low, high in zip(_GROUND, full, strict=True))
    return Text(f"{count:>{width},}", style=Style(color="white", bgcolor=f"rgb({red},{green},{blue})"))


def _cell_width(most: int) -> int:
    return max(len(f"{most:,}"), 3)
