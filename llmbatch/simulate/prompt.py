"""What the stable part of a request comes to: its tokens, its labels, and the form of the answer. Worked out once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from llmbatch.core.models import PromptCaching
from llmbatch.simulate.answer import Verdict
from llmbatch.simulate.labeller import Labeller
from llmbatch.simulate.prompt_cache import PromptDigest
from llmbatch.simulate.reading import names_key, read_labels
from llmbatch.simulate.reply import RefusedError, error_reply
from llmbatch.simulate.request import Breakpoint, ChatRequest, Message

_LABEL, _CONFIDENCE, _PERCENT, _REASONING = "category", "confidence", "percent", "reasoning"


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """The keys of the answer in their order, as the schema or the prompt asks for them."""

    keys: tuple[str, ...]
    label_key: str
    confidence_key: str | None
    in_percent: bool
    """Whether the confidence is a whole number from 0 to 100, or a fraction."""
    labels: tuple[str, ...] | None
    """The schema's enum; None where the prompt alone says the labels."""


@dataclass(frozen=True, slots=True, eq=False)
class Prompt:
    """A request's leading messages and answer form, worked out."""

    digest: PromptDigest
    form: AnswerForm
    labeller: Labeller

    def verdict(self, document: str) -> Verdict:
        """Label a document and put the answer in the form asked for."""
        odds = self.labeller.odds(document)
        label, confidence = self.labeller.likeliest(odds)
        values: dict[str, Any] = {self.form.label_key: label}
        if self.form.confidence_key is not None:
            values[self.form.confidence_key] = round(confidence * 100) if self.form.in_percent else confidence
        reason = f"The wording of the document has most in common with what the prompt says about {label!r}."
        fields = {key: values.get(key, reason) for key in self.form.keys}
        return Verdict(fields, self.form.label_key, self.form.confidence_key, self.labeller.names, odds)


def answer_form(request: ChatRequest) -> AnswerForm:
    """The form of the answer that a request asks for.

    Raises:
        RefusedError: the schema has no enum to choose from, or a property that a labelling answer does not have.
    """
    if request.schema is None:
        prompt = "\n".join(text for _, text in request.leading)
        reasoning = (_REASONING,) if names_key(prompt, _REASONING) else ()
        in_percent = names_key(prompt, _PERCENT)
        confidence_key = _PERCENT if in_percent else _CONFIDENCE
        return AnswerForm((*reasoning, _LABEL, confidence_key), _LABEL, confidence_key, in_percent, None)
    properties = {key: _resolved(value, request.schema) for key, value in request.schema["properties"].items()}
    label_key = next((key for key in (_LABEL, *properties) if _enum(properties.get(key))), None)
    if label_key is None:
        _refuse("the answer's schema has no property with an enum of labels")
    numbers = [key for key, value in properties.items() if key != label_key and _type(value) in ("number", "integer")]
    for key, value in properties.items():
        if key != label_key and key not in numbers[:1] and _type(value) != "string":
            _refuse(f"the answer's schema asks for {key!r}, which is neither label, confidence nor text")
    return AnswerForm(
        keys=tuple(properties),
        label_key=label_key,
        confidence_key=numbers[0] if numbers else None,
        in_percent=bool(numbers) and _type(properties[numbers[0]]) == "integer",
        labels=tuple(_enum(properties[label_key])),
    )


def read_prompt(
    leading: tuple[Message, ...], breakpoints: tuple[Breakpoint, ...], form: AnswerForm, caching: PromptCaching
) -> Prompt:
    """Work out a prompt. Costs milliseconds, and tens of them with hundreds of examples.

    Raises:
        RefusedError: neither the schema nor the prompt names labels.
    """
    digest = PromptDigest(caching)
    for number, (role, text) in enumerate(leading):
        digest.add(role, text, (mark.characters for mark in breakpoints if mark.message == number))
    labels = read_labels("\n".join(text for _, text in leading), form.labels)
    if not labels:
        _refuse(
            "there is neither an enum in response_format.json_schema nor a '# Labels' section with lines as "
            "'- name: description' in the messages before the last one"
        )
    return Prompt(digest, form, Labeller(labels))


def _resolved(value: Any, schema: Mapping[str, Any]) -> Any:
    """What a property is, where the schema defines it elsewhere, as pydantic does with an Enum."""
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


def _refuse(why: str) -> NoReturn:
    message = f"The offline endpoint labels documents and can do nothing else: {why}."
    raise RefusedError(error_reply(400, message, param="messages", code="no_labels"))
