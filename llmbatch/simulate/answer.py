"""What the endpoint says about a document, before it becomes a completion."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

Usage = dict[str, Any]
"""As an answer reports it."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A part of the answer, as its JSON has it, and what might stand there instead."""

    said: str
    odds: float
    others: tuple[tuple[str, float], ...]
    """Each with how probable it is."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A label in the form that the request asked for.

    `fields` is the answer's JSON object in the schema's order; `label_key` names the label in it, and
    `confidence_key` the confidence, where one was asked for. `labels` are all that may be chosen, and `odds` how
    probable each of them is.
    """

    fields: Mapping[str, Any]
    label_key: str
    confidence_key: str | None
    labels: tuple[str, ...]
    odds: tuple[float, ...]
    choices: tuple[Choice, ...] = ()
    """What else was chosen, and might have been otherwise."""

    @property
    def label(self) -> str:
        """The label that was chosen."""
        return str(self.fields[self.label_key])

    def replaced(self, key: str, value: Any) -> dict[str, Any]:
        """The fields with another value for one of them, in the same order."""
        return {**self.fields, key: value}


@dataclass(frozen=True, slots=True)
class Answer:
    """One completion's words. Either `content` or `refusal` is None, as OpenAI has it."""

    model: str
    content: str | None
    refusal: str | None = None
    finish_reason: str = "stop"
    service_tier: str | None = "default"
    """None leaves it out."""
    thinking: str = ""
    """What the model thought before it answered, where it shows that; billed, whatever the output limit."""
    thinking_place: str = ""
    """Where it stands, as `Dialect.thinking` has it."""
    thinking_tokens: int = 0
    """Output that is billed and not shown."""
    usage: Callable[[Usage], Usage | None] = lambda usage: usage
    """What the endpoint makes of the usage that it reports; None leaves it out."""


def as_json(fields: Mapping[str, Any]) -> str:
    """Compact JSON, as models answer under a schema."""
    return orjson.dumps(fields).decode()
