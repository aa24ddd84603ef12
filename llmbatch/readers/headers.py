"""Detects first rows of a table that are not a header by their cells: a title above it, or data without a header."""

import re
from collections.abc import Sequence

from llmbatch.core.errors import UsageError

_MOST_BEFORE = 20
"""How many lines may precede a header."""
_COLUMNS = 3
"""A row with this many filled cells is a header; a single one may be a title."""
_NUMBER = re.compile(rb"[-+]?[0-9]+(?:[.,][0-9]+)?")
_WORDS_OF_PROSE = 4


def refuse_other_than_header(file: str, rows: Sequence[Sequence[bytes]], numbers: Sequence[int]) -> None:
    """Refuse a table whose first row is likely not its header.

    Args:
        file: its name.
        rows: the cells of its first rows.
        numbers: the lines that they are on.

    Raises:
        UsageError: it is likely not; the hint names the option that says what it is.
    """
    _refuse_title(file, rows[:_MOST_BEFORE], numbers)
    _refuse_data(file, rows)


def _refuse_title(file: str, rows: Sequence[Sequence[bytes]], numbers: Sequence[int]) -> None:
    """Refuse a title above the header that is padded with empty cells, as spreadsheets export it."""
    filled = [sum(map(bool, row)) for row in rows]
    header = next((number for number, count in enumerate(filled) if count >= _COLUMNS), 0)
    if header and max(filled[:header]) == 1 and filled[header:].count(1) == 0:
        raise UsageError(
            f"{file}: its first line has one cell that is not empty, line {numbers[header]} has {filled[header]}",
            hint=f"use --skip-lines {numbers[header] - 1} if the header is there",
        )


def _refuse_data(file: str, rows: Sequence[Sequence[bytes]]) -> None:
    """Refuse a first line that is hardly a header because it has numbers or prose in the same columns as the others."""
    if len(rows) <= 1:
        return
    first, others = rows[0], [row for row in rows[1:] if len(row) == len(rows[0])]
    if not others or not all(first):
        return
    is_number = [
        bool(_NUMBER.fullmatch(cell)) and all(_NUMBER.fullmatch(row[n]) or not row[n] for row in others)
        for n, cell in enumerate(first)
    ]
    is_prose = [
        len(cell.split()) >= _WORDS_OF_PROSE and any(len(row[n].split()) >= _WORDS_OF_PROSE for row in others)
        for n, cell in enumerate(first)
    ]
    if any(is_prose) and (any(is_number) or all(is_prose)):
        raise UsageError(
            f"{file}: its first line looks like a row, not like a header",
            hint="use --no-header if it is one; else give it a header",
        )
