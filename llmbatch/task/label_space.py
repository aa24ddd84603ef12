"""What a task's label value is: asked for, read out of answers and files, compared, counted and written, here alone.

Between the parts of the program a row's value travels as its canonical text: in the ledger, in decisions, gold labels
and counts. Of a task that lists labels alone it is the label's name. Where a task has one field, it is the field's
(`joy|anger`); where it has several, `topic=billing; severity=3; emotions=joy|anger`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson

from llmbatch.task.fields import CATEGORY, NONE, PERCENT, FieldKind, Label, TaskField
from llmbatch.task.kind import InvalidAnswerError, Kind, Value, read_percent
from llmbatch.task.kinds import kind_of
from llmbatch.task.spelling import fraction_of

_BETWEEN, _IS = "; ", "="


@dataclass(frozen=True, slots=True)
class LabelReading:
    """A row's value as an answer states it."""

    text: str
    confidence: float
    """The least of all its fields and labels, 0..1."""
    confidences: Mapping[str, float] | None
    """By field, and by `field=label` where a field takes several; None where one label is all."""
    repaired: bool


class LabelSpace:
    """The values that a task's fields can have."""

    def __init__(self, fields: Sequence[TaskField], *, is_plain: bool) -> None:
        """`is_plain`: the task lists labels alone, which are those of the only field, `category`."""
        self.fields = tuple(fields)
        self.is_plain = is_plain
        self._kinds: dict[str, Kind] = {field.name: kind_of(field) for field in self.fields}
        self._only = next(iter(self._kinds.values())) if len(self.fields) == 1 else None

    @property
    def labels(self) -> tuple[Label, ...]:
        """The answers of the only field; none where there are several fields, or the field has no labels."""
        return self.fields[0].answers if len(self.fields) == 1 else ()

    @cached_property
    def takes_one_label(self) -> bool:
        """Whether a row's value is one label."""
        return len(self.fields) == 1 and self.fields[0].kind is FieldKind.single

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """All that `parts_of` can give, in the task's order, but numbers of a wide range."""
        return tuple(text for _, texts in self.parts_by_field() for text in texts.values())

    def parts_by_field(self) -> Sequence[tuple[TaskField, Mapping[str, str]]]:
        """The same field by field, each part by what it is called within its field."""
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
        """Whether another space has the same values, whatever it says about them."""
        return self.shape == other.shape

    @cached_property
    def shape(self) -> list[object]:
        """Fields, labels and bounds, without what is said about them."""
        return [
            (field.name, field.kind, {label.name for label in field.answers}, field.minimum, field.maximum)
            for field in self.fields
        ]

    def columns(self) -> tuple[str, ...]:
        """The names of the fields, as results have them."""
        return tuple(self._kinds)

    def answer_schema(self, *, reasoning: bool, decisions: bool = False) -> dict[str, Any]:
        """JSON schema of one answer, in the subset that strict structured outputs take.

        A confidence goes over the wire as a whole percentage: two tokens less in each answer than a fraction.

        Args:
            reasoning: also ask for a short rationale, before the labels so that it can inform them.
            decisions: of a field of several labels, ask for true or false of each, whose probabilities can be measured.
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
        """The answer that states a value, as an example shows it; `confidence` (0..1) is that of each of its fields."""
        percent = round(confidence * 100)
        answer: dict[str, Any] = {}
        for name, of_field in self._by_field(text).items():
            answer[name] = self._kinds[name].answer(of_field, percent, decisions=decisions)
            answer[self._percent_key(name)] = percent
        return answer

    def sample_answers(self, *, decisions: bool = False) -> list[str]:
        """Answers of the longest kind, in JSON: the output limit is made from them."""
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
        """The value and confidence that an answer's object states.

        Raises:
            InvalidAnswerError: it states none, or one that is not the task's; or no confidence in 0..1.
        """
        texts, confidences, repaired = dict[str, str](), dict[str, float](), False
        for name, kind in self._kinds.items():
            if name not in data:
                raise InvalidAnswerError(f"{name}: it is not in the answer")
            reading = kind.read(data[name])
            confidence, is_respelled = self._confidence(name, data)
            texts[name] = reading.text
            confidences[name] = min([confidence] if not reading.confidences else reading.confidences.values())
            confidences |= {f"{name}{_IS}{label}": one for label, one in reading.confidences.items()}
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
        confidence = data.get("confidence")  # the fraction that some models give instead
        if (percent is None) == (confidence is None):
            what = "there is no confidence in it" if percent is None else "two confidences in it"
            raise InvalidAnswerError(what)
        return read_percent(percent, "percent") if confidence is None else _read_fraction(confidence)

    def spelled(self, text: str) -> str | None:
        """The canonical text of what a person wrote, in any spelling that is allowed; None where it is no value."""
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
        """The canonical text of a record that has a column a field; None where it states no value."""
        texts = {name: kind.spelled(record[name]) for name, kind in self._kinds.items() if name in record}
        if len(texts) < len(self._kinds) or None in texts.values():
            return None
        return self._written({name: text for name, text in texts.items() if text is not None})

    def takes(self, field: str, cell: str) -> bool:
        """Whether a person may write this for a field's value."""
        return self._kinds[field].spelled(cell) is not None

    def as_spelled(self, record: Mapping[str, str]) -> str:
        """The same where it states none: written like a value, so that it can be shown."""
        return self._written(record)

    def text(self, values: Mapping[str, Any]) -> str | None:
        """The canonical text of values as a task file states them; None where they are not the task's."""
        texts = {name: kind.text(values.get(name)) for name, kind in self._kinds.items()}
        if values.keys() != self._kinds.keys() or None in texts.values():
            return None
        return self._written({name: text for name, text in texts.items() if text is not None})

    def values(self, text: str) -> dict[str, Value]:
        """The value of each field, as JSON has it."""
        return {name: self._kinds[name].value(of_field) for name, of_field in self._by_field(text).items()}

    def columns_of(self, text: str | None) -> Mapping[str, Value | None]:
        """The same for a row, which may have no value."""
        return dict.fromkeys(self._kinds) if text is None else self.values(text)

    def cells_of(self, text: str | None) -> Mapping[str, str | None]:
        """The canonical text of each field, as a table of text has it."""
        return dict.fromkeys(self._kinds) if text is None else self._by_field(text)

    def parts_of(self, text: str) -> tuple[str, ...]:
        """What tables count of a value: its labels; with several fields `field=label`."""
        return self._parts(self._by_field(text)) if self._only is None else self._only.parts(text)

    def part_confidences(
        self, text: str, confidence: float, confidences: Mapping[str, float] | None
    ) -> Mapping[str, float]:
        """How sure the answer is of each part of a value.

        Args:
            text: the value.
            confidence: of the whole value (0..1), which stands in for what is not known of a part.
            confidences: by field, and by `field=label`; None where one label is all, or they are not known.
        """
        known = confidences or {}
        return {
            self._part(name, part): known.get(f"{name}{_IS}{part}", known.get(name, confidence))
            for name, of_field in self._by_field(text).items()
            for part in self._kinds[name].parts(of_field)
        }

    def parts_of_values(self, values: Mapping[str, Value]) -> tuple[str, ...]:
        """The same of values, which may lack fields."""
        texts = {name: self._kinds[name].text(value) for name, value in values.items()}
        return self._parts({name: text for name, text in texts.items() if text is not None})

    def with_part(self, values: Mapping[str, Value], part: str) -> dict[str, Value]:
        """Values with a part given to its field; of a field that takes several labels, put in or taken out."""
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
    """The space of a task that lists labels alone."""
    only = TaskField.model_construct(name=CATEGORY, kind=FieldKind.single, labels=tuple(labels))
    return LabelSpace((only,), is_plain=True)


def as_cell(value: object) -> str:
    """A value of JSON or of a table as a cell has it: several labels with `|` between them; empty for none."""
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
