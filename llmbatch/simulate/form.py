"""The form of the answer that a request requires: its fields, from the schema or otherwise from the prompt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from llmbatch.simulate.reading import FieldText, names_key, read_fields
from llmbatch.simulate.reply import RefusedError, error_reply
from llmbatch.simulate.request import ChatRequest
from llmbatch.task.packed_prompt import SECTION_HEADING

_LABEL, _CONFIDENCE, _PERCENT, _REASONING = "category", "confidence", "percent", "reasoning"
_OF_FIELD = "_percent"
SINGLE, MULTI, NUMBER, YES_NO = "single", "multi", "number", "yes-no"


@dataclass(frozen=True, slots=True)
class FieldForm:
    """One field of the answer."""

    key: str
    kind: str
    """`single`, `multi`, `number` or `yes-no`."""
    labels: tuple[str, ...] | None = None
    """For `single` and `multi`: the schema's enum; None if only the prompt states the labels."""
    confidence_key: str | None = None
    in_percent: bool = True
    """Whether the confidence is a whole number from 0 to 100, or a fraction."""
    bounds: tuple[float, float] = (0, 1)
    is_whole: bool = True
    """For a `number`, its bounds."""
    is_decided: bool = False
    """For `multi`: whether each label is answered with true or false."""


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """The keys of the answer in order, and their meaning. Other keys are for a rationale."""

    keys: tuple[str, ...]
    fields: tuple[FieldForm, ...]
    is_packed: bool = False
    """Whether there is one for each number of several documents."""

    def field(self, key: str) -> FieldForm:
        """The field with a key; the first one if there is none."""
        return next((field for field in self.fields if field.key == key), self.fields[0])

    @property
    def label_field(self) -> FieldForm:
        """The field for faults and log-probabilities: one with a single label, if there is one."""
        return next((field for field in self.fields if field.kind == SINGLE), self.fields[0])


def answer_form(request: ChatRequest) -> AnswerForm:
    """The form of the answer that a request requires.

    Raises:
        RefusedError: the schema has no enum to choose from, or a property that is not part of a labelling answer.
    """
    if request.schema is None:
        prompt = "\n".join(text for _, text in request.leading)
        return replace(_form_of_prompt(prompt), is_packed=SECTION_HEADING in prompt)
    properties = {key: _resolved(value, request.schema) for key, value in request.schema["properties"].items()}
    if (of_one := _of_each(properties)) is not None:
        return replace(_form(of_one), is_packed=True)
    return _form(properties)


def _of_each(properties: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The schema under each number, if all keys are numbers of documents."""
    first = properties.get("1")
    of_one = first.get("properties") if isinstance(first, Mapping) else None
    is_packed = isinstance(of_one, Mapping) and all(
        key.isdigit() and value == first for key, value in properties.items()
    )
    return of_one if is_packed else None


def _form(properties: Mapping[str, Any]) -> AnswerForm:
    if any(key.endswith(_OF_FIELD) for key in properties):
        return _form_of_fields(properties)
    return _form_of_one_label(properties)


def refuse(why: str) -> NoReturn:
    """Refuse a request that does not ask to label a document.

    Raises:
        RefusedError: always.
    """
    message = f"The offline endpoint labels documents and can do nothing else: {why}."
    raise RefusedError(error_reply(400, message, param="messages", code="no_labels"))


def _form_of_prompt(prompt: str) -> AnswerForm:
    reasoning = (_REASONING,) if names_key(prompt, _REASONING) else ()
    if described := read_fields(prompt):
        fields = tuple(_described(one) for one in described)
        keys = tuple(key for field in fields for key in (field.key, field.confidence_key) if key)
        return AnswerForm((*reasoning, *keys), fields)
    in_percent = names_key(prompt, _PERCENT)
    confidence_key = _PERCENT if in_percent else _CONFIDENCE
    only = FieldForm(_LABEL, SINGLE, None, confidence_key, in_percent)
    return AnswerForm((*reasoning, _LABEL, confidence_key), (only,))


def _described(field: FieldText) -> FieldForm:
    labels = tuple(label.name for label in field.labels)
    least, most = field.bounds
    is_whole = float(least).is_integer() and float(most).is_integer()
    return FieldForm(
        field.name,
        field.kind,
        labels,
        f"{field.name}{_OF_FIELD}",
        bounds=field.bounds,
        is_whole=is_whole,
        is_decided=field.is_decided,
    )


def _form_of_one_label(properties: Mapping[str, Any]) -> AnswerForm:
    label_key = next((key for key in (_LABEL, *properties) if _enum(properties.get(key))), None)
    if label_key is None:
        refuse("the answer's schema has no property with an enum of labels")
    numbers = [key for key, value in properties.items() if key != label_key and _type(value) in ("number", "integer")]
    for key, value in properties.items():
        if key != label_key and key not in numbers[:1] and _type(value) != "string":
            refuse(f"the answer's schema asks for {key!r}, which is neither label, confidence nor text")
    only = FieldForm(
        label_key,
        SINGLE,
        tuple(_enum(properties[label_key])),
        numbers[0] if numbers else None,
        in_percent=bool(numbers) and _type(properties[numbers[0]]) == "integer",
    )
    return AnswerForm(tuple(properties), (only,))


def _form_of_fields(properties: Mapping[str, Any]) -> AnswerForm:
    fields = []
    for key, schema in properties.items():
        if key.endswith(_OF_FIELD) or (_type(schema) == "string" and not _enum(schema)):
            continue
        confidence_key = f"{key}{_OF_FIELD}" if f"{key}{_OF_FIELD}" in properties else None
        fields.append(_field(key, schema, confidence_key))
    if not fields:
        refuse("the answer's schema has no field to fill")
    return AnswerForm(tuple(properties), tuple(fields))


def _field(key: str, schema: Mapping[str, Any], confidence_key: str | None) -> FieldForm:
    match _type(schema):
        case "string":
            return FieldForm(key, SINGLE, tuple(_enum(schema)), confidence_key)
        case "boolean":
            return FieldForm(key, YES_NO, None, confidence_key)
        case "integer" | "number" as kind:
            bounds = (schema.get("minimum", 0), schema.get("maximum", 1))
            return FieldForm(key, NUMBER, None, confidence_key, bounds=bounds, is_whole=kind == "integer")
        case "object":
            decisions = schema.get("properties")
            if (
                isinstance(decisions, Mapping)
                and decisions
                and all(_type(one) == "boolean" for one in decisions.values())
            ):
                return FieldForm(key, MULTI, tuple(decisions), confidence_key, is_decided=True)
        case "array":
            label = schema.get("items", {}).get("properties", {}).get("label")
            if _enum(label):
                return FieldForm(key, MULTI, tuple(_enum(label)), confidence_key)
    refuse(f"the answer's schema asks for {key!r}, which is no field of labels, numbers or yes and no")


def _resolved(value: Any, schema: Mapping[str, Any]) -> Any:
    """A property's definition, if the schema defines it elsewhere, as pydantic does for an Enum."""
    reference = value.get("$ref") if isinstance(value, Mapping) else None
    definitions = schema.get("$defs")
    if isinstance(reference, str) and isinstance(definitions, Mapping):
        return definitions.get(reference.removeprefix("#/$defs/"))
    return value


def _enum(schema: Any) -> Sequence[str]:
    values = schema.get("enum") if isinstance(schema, Mapping) else None
    return values if isinstance(values, list) and all(isinstance(value, str) for value in values) else []


def _type(schema: Any) -> Any:
    return schema.get("type") if isinstance(schema, Mapping) else None
