"""Which fields are a row's id and text, and extracting them from a row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llmbatch.core.rows import Place, Rejection, Row, RowId
from llmbatch.readers.faults import BadRow
from llmbatch.readers.options import ReaderOptions
from llmbatch.readers.paths import Spread, is_path, value_at

_JOINT = "\n\n"
_ID_TYPES = (str, int, float)
_LISTED = 20


@dataclass(frozen=True, slots=True)
class FieldChoice:
    """What is read from one input. Without an id field, a row's id is its index.

    `detected` says that at least one field was not named by the user; `is_typed` that values have types, while cells
    of a table are all strings; `names` are the fields of the rows that were examined, `sample` is the first text;
    `findings` and `written` are as in `Records`, and `written` also contains the names of format and encoding.
    """

    file: str
    id_field: str | None
    text_fields: tuple[str, ...]
    detected: bool
    is_typed: bool = True
    names: tuple[str, ...] = field(default=(), compare=False)
    sample: str = field(default="", compare=False)
    findings: tuple[str, ...] = field(default=(), compare=False)
    written: Mapping[str, str | int | bool] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class KeptFields:
    """The fields that an earlier session used from an input."""

    id_field: str | None
    text_fields: tuple[str, ...]


def listed(names: Sequence[str], most: int = _LISTED) -> str:
    """Names, such as those of fields, for an error; at most `most` of them."""
    shown = ", ".join(repr(name) for name in names[:most]) or "none"
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


class RowMaker:
    """Makes rows from records, with the fields chosen for one input."""

    def __init__(self, choice: FieldChoice, options: ReaderOptions) -> None:
        self._id_field = choice.id_field
        self._id_is_required = options.id_field is not None
        self._blank_is_missing = not choice.is_typed
        self._texts = choice.text_fields
        self._has_paths = any(is_path(name) for name in (*choice.text_fields, choice.id_field or ""))

    def make(
        self, index: int, place: Place, raw: bytes, fields: Mapping[str, Any], flags: tuple[str, ...] = ()
    ) -> Row | Rejection:
        """The row, or its rejection if its id or its text cannot be used."""
        values = self._values(fields) if self._has_paths else fields
        try:
            return Row(index, self._id(values, index), self._text(values), place, fields, flags)
        except BadRow as bad:
            return Rejection(index, place, bad.kind, bad.message, raw, fields)

    def _values(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """The values for the names of id and text, which may be paths."""
        names = self._texts if self._id_field is None else (*self._texts, self._id_field)
        return {name: value_at(fields, name) for name in names}

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
        parts = [part for name in self._texts for part in self._parts(name, fields.get(name))]
        if not parts:
            raise BadRow("missing_text", f"has no text in {_field_or_fields(self._texts)}")
        text = parts[0] if len(parts) == 1 else _JOINT.join(part for part in parts if part.strip())
        if not text or text.isspace():
            raise BadRow("empty_text", f"the text in {_field_or_fields(self._texts)} is empty")
        return text

    def _parts(self, name: str, value: Any) -> tuple[str, ...]:
        values = value if isinstance(value, Spread) else () if value is None else (value,)
        for one in values:
            if not isinstance(one, str):
                is_list = isinstance(one, list) and all(isinstance(each, str) for each in one)
                remedy = f"; --text-field '{name}[]' joins it" if is_list else ""
                raise BadRow("text_not_a_string", f"the field {name!r} is {_kind(one)}, not a string{remedy}")
        return tuple(values)


def _field_or_fields(names: Sequence[str]) -> str:
    return f"the field {names[0]!r}" if len(names) == 1 else f"any of the fields {', '.join(map(repr, names))}"


def _kind(value: Any) -> str:
    match value:
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list() | Spread():
            return "a list"
        case _:
            return "an object"
