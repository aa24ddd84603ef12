"""Choosing the fields of one input, by its header or by its first records."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from llmbatch.errors import UsageError
from llmbatch.readers.fields import FieldChoice, choose_by_name, choose_by_row, listed, usable
from llmbatch.readers.formats import Parsed, Unread
from llmbatch.readers.options import ReaderOptions

LOOKED_AT = 100
"""Records that are held back at most while looking for one with a text field."""


def choose_by_header(file: str, names: Sequence[str], options: ReaderOptions, *, is_typed: bool) -> FieldChoice:
    """The fields to take from an input whose fields stand before its records.

    Args:
        file: the input's name.
        names: its fields.
        options: which of them the user asks for.
        is_typed: whether its values have types.

    Raises:
        UsageError: there is no such field, or none looks like the text.
    """
    asked = [*options.text_fields, *([options.id_field] if options.id_field is not None else [])]
    for name in asked:
        if name not in names:
            raise UsageError(f"{file}: there is no column {name!r}", hint=f"columns are {listed(names)}")
    choice = choose_by_name(file, names, options, is_typed=is_typed)
    if choice is None:
        raise UsageError(
            f"{file}: no column looks like the text; columns are {listed(names)}",
            hint="say which one it is: --text-field NAME",
        )
    return choice


def choose_by_records(
    file: str, first: Parsed, items: Iterator[Parsed | Unread], options: ReaderOptions
) -> tuple[FieldChoice, list[Parsed | Unread]]:
    """The fields to take from an input each of whose records has its own.

    Args:
        file: the input's name.
        first: its first record that could be read.
        items: what follows, of which no more is taken than it needs.
        options: which fields the user asks for.

    Returns:
        The choice, and what was looked at, `first` before the others.

    Raises:
        UsageError: no field looks like the text.
    """
    looked_at: list[Parsed | Unread] = []
    rows: list[Mapping[str, Any]] = []
    for item in chain((first,), items):
        looked_at.append(item)
        if not isinstance(item, Unread):
            _, _, fields, _ = item
            rows.append(fields)
            if (choice := choose_by_row(file, fields, options)) is not None:
                return choice, looked_at
        if len(looked_at) >= LOOKED_AT:
            break
    return _by_all(file, rows, options), looked_at


def _by_all(file: str, rows: Sequence[Mapping[str, Any]], options: ReaderOptions) -> FieldChoice:
    """By fields that hold what they should if there are any, else by names alone."""
    names = list(dict.fromkeys(name for fields in rows for name in fields))
    choice = choose_by_name(
        file, dict.fromkeys(name for fields in rows for name in usable(fields)), options
    ) or choose_by_name(file, names, options)
    if choice is None:
        raise UsageError(
            f"{file}: no field looks like the text; fields are {listed(names)}",
            hint="say which one it is: --text-field NAME",
        )
    return choice
