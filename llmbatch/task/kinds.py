"""The kinds of field: how each one's values are requested, read from an answer or a file, written and counted."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from llmbatch.task.fields import NONE, FieldKind, TaskField, folded
from llmbatch.task.kind import InvalidAnswerError, Kind, Reading, Value, read_percent, shown
from llmbatch.task.spelling import LabelSpellings, plain

_BETWEEN = "|"


def names_in(text: str) -> list[str]:
    """The labels in the canonical text of a multi-label field; none in `(none)`."""
    return [] if text == NONE else text.split(_BETWEEN)


class _OneValue(ABC):
    """Common base of kinds whose value is its only part."""

    @abstractmethod
    def value(self, text: str) -> Value:
        """See `Kind`."""

    def with_part(self, value: Value | None, part: str) -> Value:  # noqa: ARG002 - it has one value
        """See `Kind`."""
        return self.value(part)

    def parts(self, text: str) -> tuple[str, ...]:
        """See `Kind`."""
        return (text,)

    def answer(self, text: str, percent: int, *, decisions: bool) -> Any:  # noqa: ARG002
        """See `Kind`."""
        return self.value(text)


class Single(_OneValue):
    """Exactly one label."""

    def __init__(self, field: TaskField) -> None:
        self.names = tuple(label.name for label in field.answers)
        self._known = frozenset(self.names)
        self._by_person = _spellings(field)
        self._by_model = LabelSpellings(field.answers)
        self._name = field.name

    def schema(self, *, decisions: bool) -> dict[str, Any]:  # noqa: ARG002 - it has one value
        """See `Kind`."""
        return {"type": "string", "enum": list(self.names)}

    def read(self, value: object) -> Reading:
        """See `Kind`."""
        if isinstance(value, int) and not isinstance(value, bool) and str(value) in self._known:
            return Reading(str(value), repaired=True)  # a numeric label given as a JSON number
        if not isinstance(value, str):
            raise InvalidAnswerError(f"{self._name}: {shown(value)} is not one of the labels")
        if value in self._known:
            return Reading(value)
        label = self._by_model.label(value)
        if label is None:
            raise InvalidAnswerError(f"{value[:80]!r} is not one of the labels")
        return Reading(label, repaired=True)

    def spelled(self, text: str) -> str | None:
        """See `Kind`."""
        return self._by_person.get(folded(text))

    def value(self, text: str) -> Value:
        """See `Kind`."""
        return text

    def text(self, value: object) -> str | None:
        """See `Kind`."""
        return value if isinstance(value, str) and value in self._known else None

    def all_parts(self) -> tuple[str, ...]:
        """See `Kind`."""
        return self.names

    def examples(self, *, decisions: bool) -> Sequence[Any]:  # noqa: ARG002
        """See `Kind`."""
        return self.names


class Multi:
    """All labels that fit, in the task's order; or none."""

    def __init__(self, field: TaskField) -> None:
        self.names = tuple(label.name for label in field.answers)
        self._order = {name: number for number, name in enumerate(self.names)}
        self._by_person = _spellings(field)
        self._one = Single(field)
        self._name = field.name

    def schema(self, *, decisions: bool) -> dict[str, Any]:
        """See `Kind`. Each label comes with its own confidence, or with true or false."""
        if decisions:
            return {
                "type": "object",
                "properties": {name: {"type": "boolean"} for name in self.names},
                "required": list(self.names),
                "additionalProperties": False,
            }
        item = {
            "type": "object",
            "properties": {
                "label": {"type": "string", "enum": list(self.names)},
                "percent": {"type": "integer", "minimum": 0, "maximum": 100},
            },
            "required": ["label", "percent"],
            "additionalProperties": False,
        }
        return {"type": "array", "items": item}

    def read(self, value: object) -> Reading:
        """See `Kind`. A plain list of names is accepted too: some models give that without a schema."""
        if isinstance(value, dict):
            return self._decided(value)
        if not isinstance(value, list):
            raise InvalidAnswerError(f"{self._name}: {shown(value)} is not a list of labels")
        repaired, confidences = False, dict[str, float]()
        found = set[str]()
        for item in value:
            reading, confidence, is_asked = self._item(item)
            if reading.text in found and confidences.get(reading.text) != confidence:
                raise InvalidAnswerError(f"{self._name}: {reading.text!r} is in the answer twice")
            repaired = repaired or reading.repaired or not is_asked or reading.text in found
            found.add(reading.text)
            if confidence is not None:
                confidences[reading.text] = confidence
        return Reading(self._written(found), repaired, confidences)

    def _decided(self, value: Mapping[str, object]) -> Reading:
        """The labels that are true; each must be decided."""
        decided, repaired = dict[str, bool](), False
        for key, is_right in value.items():
            reading = self._one.read(key)
            if reading.text in decided or not isinstance(is_right, bool):
                raise InvalidAnswerError(f"{self._name}: {reading.text!r} is decided twice, or neither true nor false")
            repaired = repaired or reading.repaired
            decided[reading.text] = is_right
        if missing := [name for name in self.names if name not in decided]:
            raise InvalidAnswerError(f"{self._name}: {missing[0]!r} is neither true nor false in the answer")
        return Reading(self._written({name for name, is_right in decided.items() if is_right}), repaired)

    def _item(self, item: object) -> tuple[Reading, float | None, bool]:
        """(label, confidence, whether it has the requested form)."""
        if isinstance(item, str):
            return self._one.read(item), None, False
        if not isinstance(item, dict) or "label" not in item:
            raise InvalidAnswerError(f"{self._name}: {shown(item)} is not a label with its percentage")
        confidence, repaired = read_percent(item.get("percent"), f"{self._name}: percent")
        return self._one.read(item["label"]), confidence, not repaired

    def spelled(self, text: str) -> str | None:
        """See `Kind`. Labels are separated by `|` or `;`."""
        if folded(text) == NONE:
            return NONE
        names = [self._by_person.get(folded(part)) for part in text.replace(";", _BETWEEN).split(_BETWEEN)]
        return None if None in names else self._written({name for name in names if name is not None})

    def value(self, text: str) -> list[str]:
        """See `Kind`."""
        return names_in(text)

    def text(self, value: object) -> str | None:
        """See `Kind`."""
        if not isinstance(value, list | tuple) or not all(name in self._order for name in value):
            return None
        return self._written(set(value))

    def with_part(self, value: Value | None, part: str) -> Value:
        """See `Kind`."""
        if part == NONE:
            return []
        chosen = set(value) if isinstance(value, list) else set()
        return self.value(self._written(chosen ^ {part}))

    def parts(self, text: str) -> tuple[str, ...]:
        """See `Kind`."""
        return tuple(text.split(_BETWEEN))

    def all_parts(self) -> tuple[str, ...]:
        """See `Kind`."""
        return (*self.names, NONE)

    def answer(self, text: str, percent: int, *, decisions: bool) -> Any:
        """See `Kind`."""
        if decisions:
            given = set(self.value(text))
            return {name: name in given for name in self.names}
        return [{"label": label, "percent": percent} for label in self.value(text)]

    def examples(self, *, decisions: bool) -> Sequence[Any]:
        """See `Kind`. Few texts have more than a handful of labels, so the longest five make the longest answer."""
        if decisions:
            return [dict.fromkeys(self.names, False)]
        longest = sorted(self.names, key=len, reverse=True)[:_MOST_LABELS]
        return [[{"label": name, "percent": 100} for name in longest]]

    def _written(self, names: set[str]) -> str:
        return _BETWEEN.join(sorted(names, key=self._order.__getitem__)) or NONE


_MOST_LABELS = 5


class Number(_OneValue):
    """A number within bounds, an integer if both bounds are."""

    def __init__(self, field: TaskField) -> None:
        self._least, self._most = field.minimum or 0, field.maximum or 0
        self._is_whole = isinstance(self._least, int) and isinstance(self._most, int)
        self._name = field.name

    def schema(self, *, decisions: bool) -> dict[str, Any]:  # noqa: ARG002 - it has one value
        """See `Kind`."""
        kind = "integer" if self._is_whole else "number"
        return {"type": kind, "minimum": self._least, "maximum": self._most}

    def read(self, value: object) -> Reading:
        """See `Kind`."""
        text = self.text(value)
        if text is not None:
            return Reading(text, repaired=self._is_whole and not isinstance(value, int))
        if isinstance(value, str) and (text := self.spelled(value)) is not None:
            return Reading(text, repaired=True)
        raise InvalidAnswerError(f"{self._name}: {shown(value)} is not a number from {self._least} to {self._most}")

    def spelled(self, text: str) -> str | None:
        """See `Kind`."""
        try:
            return self.text(float(text))
        except ValueError:
            return None

    def value(self, text: str) -> Value:
        """See `Kind`."""
        return int(text) if self._is_whole else float(text)

    def text(self, value: object) -> str | None:
        """See `Kind`."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not self._least <= value <= self._most:
            return None
        if self._is_whole:
            return str(int(value)) if value == int(value) else None
        return repr(float(value))

    def all_parts(self) -> tuple[str, ...]:
        """See `Kind`. Only short ranges of integers are listed, such as the steps of a scale."""
        if self._is_whole and self._most - self._least < _STEPS:
            return tuple(str(number) for number in range(int(self._least), int(self._most) + 1))
        return ()

    def examples(self, *, decisions: bool) -> Sequence[Any]:  # noqa: ARG002
        """See `Kind`."""
        return [self._least, self._most] if self._is_whole else [self._most - 0.123456]


_STEPS = 20

_YES_NO = {"yes": "yes", "true": "yes", "1": "yes", "y": "yes", "no": "no", "false": "no", "0": "no", "n": "no"}


class YesNo(_OneValue):
    """True or false."""

    def __init__(self, field: TaskField) -> None:
        self._name = field.name

    def schema(self, *, decisions: bool) -> dict[str, Any]:  # noqa: ARG002 - it has one value
        """See `Kind`."""
        return {"type": "boolean"}

    def read(self, value: object) -> Reading:
        """See `Kind`."""
        text = self.text(value)
        if text is not None:
            return Reading(text)
        if isinstance(value, str) and plain(value) in ("yes", "no", "true", "false"):
            return Reading(_YES_NO[plain(value)], repaired=True)
        raise InvalidAnswerError(f"{self._name}: {shown(value)} is neither true nor false")

    def spelled(self, text: str) -> str | None:
        """See `Kind`."""
        return _YES_NO.get(folded(text))

    def value(self, text: str) -> Value:
        """See `Kind`."""
        return text == "yes"

    def text(self, value: object) -> str | None:
        """See `Kind`."""
        return ("yes" if value else "no") if isinstance(value, bool) else None

    def all_parts(self) -> tuple[str, ...]:
        """See `Kind`."""
        return ("yes", "no")

    def examples(self, *, decisions: bool) -> Sequence[Any]:  # noqa: ARG002
        """See `Kind`."""
        return [False]


_KINDS: Mapping[FieldKind, type[Single] | type[Multi] | type[Number] | type[YesNo]] = {
    FieldKind.single: Single,
    FieldKind.multi: Multi,
    FieldKind.number: Number,
    FieldKind.yes_no: YesNo,
}


def kind_of(field: TaskField) -> Kind:
    """The kind of a field."""
    return _KINDS[field.kind](field)


def _spellings(field: TaskField) -> Mapping[str, str]:
    """Names and aliases; with nested labels, also `group/label`."""
    paths = (
        {} if field.tree.is_flat else {folded("/".join(field.tree.path(one.name))): one.name for one in field.answers}
    )
    named = {folded(spelling): label.name for label in field.answers for spelling in (label.name, *label.aliases)}
    return paths | named
