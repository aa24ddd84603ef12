"""A task's label values: requested, read from answers and files, compared, counted and written, all in this module.

A row's value is passed around as its canonical text: in the ledger, in decisions, gold labels and counts. For a task
that just lists labels, it is the label's name. With one field, it is the field's value (`joy|anger`); with several,
`topic=billing; severity=3; emotions=joy|anger`.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import Any

import orjson
from msgspec import Struct

from llmbatch.task.fields import CATEGORY, NONE, PERCENT, FieldKind, Label, TaskField
from llmbatch.task.kind import InvalidAnswerError, Kind, Value, read_percent
from llmbatch.task.kinds import kind_of
from llmbatch.task.spelling import fraction_of

_BETWEEN, _IS = "; ", "="


class LabelReading(Struct, frozen=True, gc=False):
    """A row's value as read from an answer."""

    text: str
    confidence: float
    """The lowest confidence of all fields and labels, 0..1."""
    confidences: Mapping[str, float] | None
    """Confidence by field, and by `field=label` for multi-label fields; None if the task takes one label."""
    repaired: bool


class LabelSpace:
    """The values that a task's fields can have."""

    def __init__(self, fields: Sequence[TaskField], *, is_plain: bool) -> None:
        """`is_plain`: the task just lists labels, which belong to the only field, `category`."""
        self.fields = tuple(fields)
        self.is_plain = is_plain
        self._kinds: dict[str, Kind] = {field.name: kind_of(field) for field in self.fields}
        self._only = next(iter(self._kinds.values())) if len(self.fields) == 1 else None

    @property
    def labels(self) -> tuple[Label, ...]:
        """The answers of the only field; empty if there are several fields, or the field has no labels."""
        return self.fields[0].answers if len(self.fields) == 1 else ()

    @cached_property
    def takes_one_label(self) -> bool:
        """Whether a row's value is one label."""
        return len(self.fields) == 1 and self.fields[0].kind is FieldKind.single

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """Everything `parts_of` can return, in the task's order, except wide ranges of numbers."""
        return tuple(text for _, texts in self.parts_by_field() for text in texts.values())

    def parts_by_field(self) -> Sequence[tuple[TaskField, Mapping[str, str]]]:
        """The parts by field, each with its name within the field."""
        return [
            (field, {part: self._part(field.name, part) for part in self._kinds[field.name].all_parts()})
            for field in self.fields
        ]

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.parts)

    def __contains__(self, text: object) -> bool:
        """Whether a canonical text is one of the task's values."""
        if not isinstance(text, str):
            return False
        return text in self._known if self.takes_one_label else self.spelled(text) == text

    def is_like(self, other: "LabelSpace") -> bool:
        """Whether another space has the same values, ignoring descriptions."""
        return self.shape == other.shape

    @cached_property
    def shape(self) -> list[object]:
        """Fields, labels and bounds, without descriptions."""
        return [
            (field.name, field.kind, {label.name for label in field.answers}, field.minimum, field.maximum)
            for field in self.fields
        ]

    def columns(self) -> tuple[str, ...]:
        """The names of the fields, as used in results."""
        return tuple(self._kinds)

    def answer_schema(self, *, reasoning: bool, decisions: bool = False) -> dict[str, Any]:
        """JSON schema of one answer, in the subset that strict structured outputs support.

        Confidence is requested as a whole percentage, which takes two tokens less per answer than a fraction.

        Args:
            reasoning: also request a short rationale, before the labels so that it can inform them.
            decisions: for a multi-label field, request true or false for each label, to measure probabilities.
        """
        properties: dict[str, Any] = {"reasoning": {"type": "string"}} if reasoning else {}
        for name, kind in self._kinds.items():
            properties[name] = kind.schema(decisions=decisions)
            properties[self._percent_key(name)] = {"type": "integer", "minimum": 0, "maximum": 100}
        return {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }

    def answer(self, text: str, confidence: float, *, decisions: bool = False) -> dict[str, Any]:
        """The answer with a given value, as shown in examples; `confidence` (0..1) applies to each field."""
        percent = round(confidence * 100)
        answer: dict[str, Any] = {}
        for name, of_field in self._by_field(text).items():
            answer[name] = self._kinds[name].answer(of_field, percent, decisions=decisions)
            answer[self._percent_key(name)] = percent
        return answer

    def sample_answers(self, *, decisions: bool = False) -> list[str]:
        """The longest answers, in JSON, from which the output limit is derived."""
        if self.is_plain:
            return [orjson.dumps(self.answer(label, 1.0)).decode() for label in self.parts]
        longest = {
            name: max(kind.examples(decisions=decisions), key=lambda value: len(orjson.dumps(value)))
            for name, kind in self._kinds.items()
        }
        return [orjson.dumps(dict(longest) | {self._percent_key(name): 100 for name in longest}).decode()]

    @cached_property
    def keys(self) -> frozenset[str]:
        """All keys that an answer may have."""
        names = {key for name in self._kinds for key in (name, self._percent_key(name))}
        return frozenset({*names, "reasoning", *(("confidence",) if self.is_plain else ())})

    def read(self, data: Mapping[str, Any]) -> LabelReading:
        """Read the value and confidence in an answer's object.

        Raises:
            InvalidAnswerError: there is no value, or one that is not in the task; or no confidence in 0..1.
        """
        texts, confidences, repaired = dict[str, str](), dict[str, float](), False
        for name, kind in self._kinds.items():
            if name not in data:
                raise InvalidAnswerError(f"{name}: missing from the answer")
            reading = kind.read(data[name])
            confidence, is_respelled = self._confidence(name, data)
            texts[name] = reading.text
            confidences[name] = min(reading.confidences.values(), default=confidence)
            for label, one in reading.confidences.items():
                confidences[f"{name}{_IS}{label}"] = one
            repaired = repaired or reading.repaired or is_respelled
        return LabelReading(
            text=self._written(texts),
            confidence=min(confidences.values()),
            confidences=None if self.takes_one_label else confidences,
            repaired=repaired,
        )

    def _confidence(self, name: str, data: Mapping[str, Any]) -> tuple[float, bool]:
        percent = data.get(self._percent_key(name))
        if not self.is_plain:
            return read_percent(percent, self._percent_key(name))
        confidence = data.get("confidence")  # a fraction, which some models give instead
        if (percent is None) == (confidence is None):
            what = "it has no confidence" if percent is None else "it has two confidences"
            raise InvalidAnswerError(what)
        return read_percent(percent, "percent") if confidence is None else _read_fraction(confidence)

    def spelled(self, text: str) -> str | None:
        """The canonical text of what a person wrote, in any accepted spelling; None if it is not a value."""
        if self._only is not None:
            return self._only.spelled(text)
        texts = dict[str, str]()
        for part in text.split(_BETWEEN.strip()):
            name, is_there, value = part.strip().partition(_IS)
            kind = self._kinds.get(name.strip())
            spelled = kind.spelled(value) if kind is not None and is_there else None
            if spelled is None or name.strip() in texts:
                return None
            texts[name.strip()] = spelled
        return self._written(texts) if texts.keys() == self._kinds.keys() else None

    def spelled_in(self, record: Mapping[str, str]) -> str | None:
        """The canonical text of a record with one column per field; None if it has no value."""
        texts = {name: kind.spelled(record[name]) for name, kind in self._kinds.items() if name in record}
        if len(texts) < len(self._kinds) or None in texts.values():
            return None
        return self._written({name: text for name, text in texts.items() if text is not None})

    def takes(self, field: str, cell: str) -> bool:
        """Whether a cell is an accepted spelling of a field's value."""
        return self._kinds[field].spelled(cell) is not None

    def as_spelled(self, record: Mapping[str, str]) -> str:
        """A record without a valid value, written like a value for display."""
        return self._written(record)

    def text(self, values: Mapping[str, Any]) -> str | None:
        """The canonical text of values from a task file; None if they are not the task's."""
        texts = {name: kind.text(values.get(name)) for name, kind in self._kinds.items()}
        if values.keys() != self._kinds.keys() or None in texts.values():
            return None
        return self._written({name: text for name, text in texts.items() if text is not None})

    def values(self, text: str) -> dict[str, Value]:
        """The value of each field, as JSON."""
        return {name: self._kinds[name].value(of_field) for name, of_field in self._by_field(text).items()}

    def columns_of(self, text: str | None) -> Mapping[str, Value | None]:
        """The value of each field for a row; all None if the row has no value."""
        return dict.fromkeys(self._kinds) if text is None else self.values(text)

    def cells_of(self, text: str | None) -> Mapping[str, str | None]:
        """The canonical text of each field, for a table of text; all None if the row has no value."""
        return dict.fromkeys(self._kinds) if text is None else self._by_field(text)

    def of_fields(self, names: Collection[str]) -> "LabelSpace":
        """The space of some of the fields."""
        kept = [field for field in self.fields if field.name in names]
        return self if len(kept) == len(self.fields) else LabelSpace(kept, is_plain=False)

    def parts_of(self, text: str) -> tuple[str, ...]:
        """The parts of a value that tables count: its labels; with several fields, `field=label`."""
        return self._parts(self._by_field(text)) if self._only is None else self._only.parts(text)

    def part_confidences(
        self, text: str, confidence: float, confidences: Mapping[str, float] | None
    ) -> Mapping[str, float]:
        """The confidence of each part of a value.

        Args:
            text: the value.
            confidence: confidence of the whole value (0..1), used for parts without their own.
            confidences: by field, and by `field=label`; None if the task takes one label, or if unknown.
        """
        known = confidences or {}
        return {
            self._part(name, part): known.get(f"{name}{_IS}{part}", known.get(name, confidence))
            for name, of_field in self._by_field(text).items()
            for part in self._kinds[name].parts(of_field)
        }

    def parts_of_values(self, values: Mapping[str, Value]) -> tuple[str, ...]:
        """The parts of values, which may lack fields."""
        texts = {name: self._kinds[name].text(value) for name, value in values.items()}
        return self._parts({name: text for name, text in texts.items() if text is not None})

    def with_part(self, values: Mapping[str, Value], part: str) -> dict[str, Value]:
        """Values with a part set in its field; for a multi-label field, toggled."""
        name, of_field = (self.fields[0].name, part) if len(self.fields) == 1 else _pair(part)
        return {**values, name: self._kinds[name].with_part(values.get(name), of_field)}

    def _parts(self, texts: Mapping[str, str]) -> tuple[str, ...]:
        return tuple(self._part(name, part) for name, text in texts.items() for part in self._kinds[name].parts(text))

    def _part(self, name: str, part: str) -> str:
        return part if len(self.fields) == 1 else f"{name}{_IS}{part}"

    def _by_field(self, text: str) -> dict[str, str]:
        if len(self.fields) == 1:
            return {self.fields[0].name: text}
        return dict(_pair(part) for part in text.split(_BETWEEN))

    def _written(self, texts: Mapping[str, str]) -> str:
        if len(self.fields) == 1:
            return texts[self.fields[0].name]
        return _BETWEEN.join(f"{name}{_IS}{texts[name]}" for name in self._kinds)

    def _percent_key(self, name: str) -> str:
        return "percent" if self.is_plain else f"{name}{PERCENT}"


def plain_space(labels: Sequence[Label]) -> LabelSpace:
    """The space of a task that just lists labels."""
    only = TaskField.model_construct(name=CATEGORY, kind=FieldKind.single, labels=tuple(labels))
    return LabelSpace((only,), is_plain=True)


def as_cell(value: object) -> str:
    """A JSON or table value as a cell: several labels are joined by `|`; empty for none."""
    if isinstance(value, list):
        return "|".join(map(str, value)) or NONE
    return "" if value is None else str(value).strip()


def _pair(part: str) -> tuple[str, str]:
    name, _, value = part.partition(_IS)
    return name, value


def _read_fraction(confidence: object) -> tuple[float, bool]:
    if isinstance(confidence, str):
        if (fraction := fraction_of(confidence, of_100=False)) is None:
            raise InvalidAnswerError(f"confidence: {confidence!r:.40} is not a confidence in 0..1")
        return fraction, True
    if isinstance(confidence, bool) or not isinstance(confidence, int | float) or not 0 <= confidence <= 1:
        raise InvalidAnswerError(f"confidence: {confidence!r:.40} is not a confidence in 0..1")
    return float(confidence), False
