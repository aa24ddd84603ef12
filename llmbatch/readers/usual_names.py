"""Chooses fields by their names alone: if contents show nothing, and for runs of versions that used only names."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from llmbatch.readers.names import ID_NAMES, TEXT_NAMES

_TITLE = "title"
_TITLED = frozenset({"body", "description"})
"""Texts that say little without their title."""


def usual_texts(names: Collection[str]) -> tuple[str, ...]:
    """The text fields by their names; none if no name is a usual one."""
    by_folded = _by_folded(names)
    text = _first(TEXT_NAMES, by_folded)
    if text is None:
        return ()
    title = by_folded.get(_TITLE)
    return (title, text) if title is not None and text.strip().casefold() in _TITLED else (text,)


def usual_texts_of_rows(rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The same for rows with individual fields: by the first row whose best name has a text, otherwise by all rows."""
    for fields in rows:
        texts = usual_texts(_usable(fields))
        if texts and texts == usual_texts(fields):
            return texts
    return usual_texts(_names_of(map(_usable, rows))) or usual_texts(_names_of(rows))


def usual_id(names: Collection[str], *, but: Collection[str]) -> str | None:
    """The id field by its name."""
    return _first(ID_NAMES, _by_folded(names), but=but)


def _usable(fields: Mapping[str, Any]) -> list[str]:
    """The fields whose values can be a text."""
    return [name for name, value in fields.items() if isinstance(value, str)]


def _names_of(rows: Any) -> list[str]:
    return list(dict.fromkeys(name for names in rows for name in names))


def _by_folded(names: Collection[str]) -> dict[str, str]:
    by_folded: dict[str, str] = {}
    for name in names:
        by_folded.setdefault(name.strip().casefold(), name)
    return by_folded


def _first(wanted: Sequence[str], by_folded: Mapping[str, str], *, but: Collection[str] = ()) -> str | None:
    return next((by_folded[name] for name in wanted if name in by_folded and by_folded[name] not in but), None)
