"""The endpoint's answer about a document, before it becomes a completion."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

Usage = dict[str, Any]
"""A value in the form that an answer reports."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A part of the answer's JSON, and its possible alternatives."""

    said: str
    odds: float
    others: tuple[tuple[str, float], ...]
    """Each with its probability."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A label in the form that the request requires.

    `fields` is the answer's JSON object in the schema's order; `label_key` names the label in it, and `confidence_key`
    the confidence, if one is required. `labels` are all possible labels, and `odds` their probabilities.
    """

    fields: Mapping[str, Any]
    label_key: str
    confidence_key: str | None
    labels: tuple[str, ...]
    odds: tuple[float, ...]
    choices: tuple[Choice, ...] = ()
    """Other choices in the answer, with their alternatives."""

    @property
    def label(self) -> str:
        """The label that was chosen."""
        return str(self.fields[self.label_key])

    def replaced(self, key: str, value: Any) -> dict[str, Any]:
        """The fields with another value for one of them, in the same order."""
        return {**self.fields, key: value}


@dataclass(frozen=True, slots=True)
class Answer:
    """The text of one completion. Either `content` or `refusal` is None, as in OpenAI's API."""

    model: str
    content: str | None
    refusal: str | None = None
    finish_reason: str = "stop"
    service_tier: str | None = "default"
    """None omits it."""
    thinking: str = ""
    """The model's thinking before the answer, if it is shown; billed, whatever the output limit."""
    thinking_place: str = ""
    """Where it is put, see `Dialect.thinking`."""
    thinking_tokens: int = 0
    """Output that is billed and not shown."""
    usage: Callable[[Usage], Usage | None] = lambda usage: usage
    """Changes the usage that the endpoint reports; None omits it."""


def as_json(fields: Mapping[str, Any]) -> str:
    """Compact JSON, as models generate it under a schema."""
    return orjson.dumps(fields).decode()
