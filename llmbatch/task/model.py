"""The task: fields, labels, examples and instructions, as data."""

from functools import cached_property
from typing import Annotated, Any, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from llmbatch.core.defaults import LEAST_CANDIDATES, MOST_CANDIDATES, MOST_SIMILAR, MOST_TOKENS
from llmbatch.core.service_tiers import ServiceTier
from llmbatch.task.fields import Label, Name, Part, TaskField, Text, check_spellings
from llmbatch.task.label_space import LabelSpace, plain_space
from llmbatch.task.tree import LabelTree

_LEAST_ANSWERS = 2


class Example(Part):
    """A document with its right answer. `confidence` is in 0..1.

    `label` is for a task that just lists labels; `answer` has a value for each field of other tasks.
    """

    text: Text
    label: Name | None = None
    answer: dict[str, Any] | None = None
    confidence: Annotated[float, Field(ge=0, le=1, strict=True)] = 0.95
    reasoning: str | None = None

    @model_serializer(mode="wrap")
    def _with_one_answer(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return _without(dump(self), "label" if self.label is None else "answer")


class ModelDefaults(Part):
    """The task author's model settings; command-line options take precedence."""

    name: str | None = None
    temperature: Annotated[float, Field(ge=0, le=2, strict=True)] | None = None
    max_output_tokens: Annotated[int, Field(ge=1, le=MOST_TOKENS, strict=True)] | None = None
    reasoning_effort: str | None = None
    service_tier: ServiceTier | None = None
    review_below: Annotated[float, Field(ge=0, le=1, strict=True)] | None = None
    similar_examples: Annotated[int, Field(ge=1, le=MOST_SIMILAR, strict=True)] | None = None
    candidates: Annotated[int, Field(ge=LEAST_CANDIDATES, le=MOST_CANDIDATES, strict=True)] | None = None
    embedding_model: str | None = None
    """Retrieves the candidates by embeddings of the same endpoint, instead of by their words."""


class Task(Part):
    """A classification task, as in its TOML file: with just `labels`, or with `fields` that have their own."""

    name: Name
    instructions: str = ""
    labels: Annotated[tuple[Label, ...], Field(min_length=2)] = ()
    fields: Annotated[tuple[TaskField, ...], Field(min_length=1)] = ()
    examples: tuple[Example, ...] = ()
    pool: tuple[Example, ...] = ()
    """Further examples, the most useful first; they are added to the prompt if that makes a run cheaper."""
    model: ModelDefaults = ModelDefaults()

    @model_validator(mode="after")
    def _has_labels_or_fields(self) -> Self:
        if not self.labels and not self.fields:
            raise ValueError("labels is missing")
        if self.labels and self.fields:
            raise ValueError("a task has labels or fields, not both: a field's labels go in [[fields.labels]]")
        names = [field.name.casefold() for field in self.fields]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two fields are named {name!r}")
        check_spellings(self.labels)
        if self.labels and len(LabelTree(self.labels).answers) < _LEAST_ANSWERS:
            raise ValueError("a task needs at least two labels that are answers; a group of labels does not count")
        return self

    @model_validator(mode="after")
    def _examples_have_their_answer(self) -> Self:
        for part, kind, examples in (("examples", "example", self.examples), ("pool", "pool example", self.pool)):
            for number, example in enumerate(examples):
                if self.fields:
                    self._check_answer(f"{kind} {number + 1}", example)
                elif example.label is None or example.answer is not None:
                    raise ValueError(f"{part}[{number}].label is missing")
                elif example.label not in self.label_space:
                    raise ValueError(
                        f"{kind} {number + 1} has the label {example.label!r}, which the task does not list"
                    )
        return self

    def _check_answer(self, which: str, example: Example) -> None:
        if example.answer is None or self.label_space.text(example.answer) is None:
            fields = ", ".join(self.label_space.columns())
            raise ValueError(f"{which} needs an answer with a valid value for each field: {fields}")

    @model_serializer(mode="wrap")
    def _with_labels_or_fields(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return _without(dump(self), "labels" if self.fields else "fields")

    @cached_property
    def label_space(self) -> LabelSpace:
        """The possible values of a row."""
        return LabelSpace(self.fields, is_plain=False) if self.fields else plain_space(self.labels)

    def example(self, text: str, value: str) -> Example:
        """An example with this canonical text as its answer."""
        return (
            Example(text=text, answer=self.label_space.values(value))
            if self.fields
            else Example(text=text, label=value)
        )

    def value_of(self, example: Example) -> str:
        """The canonical text of an example's answer."""
        if example.answer is None:
            return example.label or ""
        return self.label_space.text(example.answer) or ""


def _without(data: dict[str, Any], name: str) -> dict[str, Any]:
    """Drop an entry, so that a task with just labels is saved as in earlier versions."""
    return {key: value for key, value in data.items() if key != name}
