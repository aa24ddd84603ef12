"""Which fields are a row's id and text, and taking them out of a row."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmbatch.readers.faults import BadRow
from llmbatch.readers.options import ReaderOptions
from llmbatch.rows import Place, Rejection, Row, RowId

ID_NAMES = (
    "id", "_id", "uuid", "guid", "doc_id", "docid", "document_id",
    "row_id", "record_id", "item_id", "identifier", "key",
)  # fmt: skip
"""Names that are taken for the id, best first."""

TEXT_NAMES = (
    "text", "content", "body", "document", "message", "description", "review", "comment", "sentence", "utterance",
    "question", "query", "abstract", "summary", "transcript", "article", "passage", "post", "tweet", "note",
    "full_text", "raw_text", "prompt", "input", "headline", "subject", "title",
)  # fmt: skip
"""Names that are taken for the text, best first."""

_TITLE = "title"
_TITLED = frozenset({"body", "description"})
"""Texts that say little without the title above them."""

_JOINT = "\n\n"
_ID_TYPES = (str, int, float)
_LISTED = 20


@dataclass(frozen=True, slots=True)
class FieldChoice:
    """What is read out of one input. Without an id field a row's id is its index.

    `detected` says that at least one field was not named by the user; `is_typed` that values have types, where cells
    of a table are all strings.
    """

    file: str
    id_field: str | None
    text_fields: tuple[str, ...]
    detected: bool
    is_typed: bool = True


def choose_by_name(
    file: str, names: Collection[str], options: ReaderOptions, *, is_typed: bool = True
) -> FieldChoice | None:
    """The fields that the user or their names single out; None where none looks like the text.

    Args:
        file: the input's name, for the choice.
        names: the fields that there are.
        options: which fields the user asks for.
        is_typed: for the choice.
    """
    by_folded = _by_folded(names)
    texts = options.text_fields or _detected_texts(by_folded)
    if not texts:
        return None
    id_field = options.id_field or _first(ID_NAMES, by_folded, but=texts)
    detected = not options.text_fields or (options.id_field is None and id_field is not None)
    return FieldChoice(file, id_field, texts, detected, is_typed)


def choose_by_row(file: str, fields: Mapping[str, Any], options: ReaderOptions) -> FieldChoice | None:
    """As `choose_by_name`, from one row alone; None also where a better text field is there without a text in it."""
    choice = choose_by_name(file, usable(fields), options)
    by_name = choose_by_name(file, fields.keys(), options)
    return choice if choice and by_name and choice.text_fields == by_name.text_fields else None


def usable(fields: Mapping[str, Any]) -> list[str]:
    """The fields whose values can be a text, or by their names an id."""
    return [
        name
        for name, value in fields.items()
        if isinstance(value, str) or (name.strip().casefold() in ID_NAMES and not isinstance(value, list | dict))
    ]


def listed(names: Sequence[str], most: int = _LISTED) -> str:
    """Names, as of fields, as an error tells them: so many at most."""
    shown = ", ".join(repr(name) for name in names[:most]) or "none"
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


class RowMaker:
    """Makes rows of what was read, by the fields chosen for one input."""

    def __init__(self, file: str, choice: FieldChoice, options: ReaderOptions) -> None:
        self._file = file
        self._id_field = choice.id_field
        self._id_is_required = options.id_field is not None
        self._blank_is_missing = not choice.is_typed
        self._texts = choice.text_fields

    def make(
        self, index: int, line: int, raw: bytes, fields: Mapping[str, Any], flags: tuple[str, ...] = ()
    ) -> Row | Rejection:
        """The row, or its rejection where its id or its text cannot be used."""
        place = Place(self._file, line)
        try:
            return Row(index, self._id(fields, index), self._text(fields), place, fields, flags)
        except BadRow as bad:
            return Rejection(index, place, bad.kind, bad.message, raw)

    def _id(self, fields: Mapping[str, Any], index: int) -> RowId:
        if self._id_field is None:
            return index
        value = fields.get(self._id_field)
        if value is None or (value == "" and self._blank_is_missing):
            if self._id_is_required:
                raise BadRow("missing_id", f"has no id in the field {self._id_field!r}")
            return index
        if isinstance(value, _ID_TYPES):
            return value
        raise BadRow("bad_id", f"the id in the field {self._id_field!r} is {_kind(value)}")

    def _text(self, fields: Mapping[str, Any]) -> str:
        first = fields.get(self._texts[0])
        if len(self._texts) == 1 and isinstance(first, str) and first and not first.isspace():
            return first
        parts = [self._part(name, fields[name]) for name in self._texts if fields.get(name) is not None]
        if not parts:
            raise BadRow("missing_text", f"has no text in {_field_or_fields(self._texts)}")
        text = parts[0] if len(parts) == 1 else _JOINT.join(part for part in parts if part.strip())
        if not text or text.isspace():
            raise BadRow("empty_text", f"the text in {_field_or_fields(self._texts)} is empty")
        return text

    def _part(self, name: str, value: Any) -> str:
        if isinstance(value, str):
            return value
        raise BadRow("text_not_a_string", f"the field {name!r} is {_kind(value)}, not a string")


def _by_folded(names: Collection[str]) -> dict[str, str]:
    by_folded: dict[str, str] = {}
    for name in names:
        by_folded.setdefault(name.strip().casefold(), name)
    return by_folded


def _detected_texts(by_folded: Mapping[str, str]) -> tuple[str, ...]:
    text = _first(TEXT_NAMES, by_folded)
    if text is None:
        return ()
    title = by_folded.get(_TITLE)
    return (title, text) if title is not None and text.strip().casefold() in _TITLED else (text,)


def _first(wanted: Sequence[str], by_folded: Mapping[str, str], *, but: Collection[str] = ()) -> str | None:
    return next((by_folded[name] for name in wanted if name in by_folded and by_folded[name] not in but), None)


def _field_or_fields(names: Sequence[str]) -> str:
    return f"the field {names[0]!r}" if len(names) == 1 else f"any of the fields {', '.join(map(repr, names))}"


def _kind(value: Any) -> str:
    match value:
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case _:
            return "an object"
