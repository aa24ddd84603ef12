"""From an answer's content to a label of the task, or a stated reason why not.

Nothing is guessed: wrapper text is taken off, a listed alias or another case of a label counts as that label, and
everything else is invalid. Broken JSON is never mended: a truncated `"fraud_high` would become `fraud`.
"""

import json
from dataclasses import dataclass
from enum import Enum
from typing import Any, NoReturn

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from llmbatch.task.model import Task, folded

_LONGEST_ANSWER = 20_000
_LONGEST_REASONING = 2_000


class InvalidAnswerError(ValueError):
    """The content is no answer by the task's labels; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A valid answer. `repaired` tells that a wrapper or another spelling had to be seen through."""

    category: str
    confidence: float
    reasoning: str | None
    repaired: bool


class AnswerParser:
    """Reads answers to one task."""

    def __init__(self, task: Task) -> None:
        self._labels = frozenset(task.label_names)
        self._spellings = {
            folded(spelling): label.name for label in task.labels for spelling in (label.name, *label.aliases)
        }
        self._model = _answer_model(task)

    def parse(self, content: str) -> Answer:
        """The label and confidence that `content` states.

        Raises:
            InvalidAnswerError: it states none, two, or one that is not the task's; or no confidence in 0..1.
        """
        if len(content) > _LONGEST_ANSWER:
            raise InvalidAnswerError(f"the answer is {len(content):,} characters long")
        data, unwrapped = _find_object(content)
        category = data.get("category")
        if isinstance(category, str) and category not in self._labels:
            label = self._spellings.get(folded(category))
            if label is None:
                raise InvalidAnswerError(f"{category[:80]!r} is not one of the labels")
            data["category"], unwrapped = label, True
        try:
            answer: Any = self._model.model_validate(data)
        except ValidationError as error:
            raise InvalidAnswerError(_first_problem(error)) from None
        return Answer(answer.category.value, _confidence(answer), _storable(answer.reasoning), repaired=unwrapped)


def _answer_model(task: Task) -> type[BaseModel]:
    labels = Enum("Category", {f"label_{n}": name for n, name in enumerate(task.label_names)})  # type: ignore[misc]
    return create_model(
        "AnswerModel",
        __config__=ConfigDict(extra="ignore", frozen=True),
        category=(labels, ...),
        percent=(int | None, Field(default=None, ge=0, le=100, strict=True)),
        confidence=(float | None, Field(default=None, ge=0, le=1, strict=True)),
        reasoning=(str | None, Field(default=None, strict=True)),
    )


def _confidence(answer: Any) -> float:
    """The confidence in 0..1, from the percentage that is asked for or the fraction that some models give instead."""
    if (answer.percent is None) == (answer.confidence is None):
        raise InvalidAnswerError("there is no confidence in it" if answer.percent is None else "two confidences in it")
    return float(answer.confidence) if answer.percent is None else answer.percent / 100


def _storable(reasoning: str | None) -> str | None:
    """A rationale that every file can hold: no lone surrogates, which JSON escapes can smuggle in, and not endless."""
    return None if reasoning is None else reasoning[:_LONGEST_REASONING].encode("utf-8", "replace").decode()


def _find_object(content: str) -> tuple[dict[str, Any], bool]:
    """The one JSON object in `content`, and whether anything stood around it."""
    text = content.strip()
    try:
        value = _DECODER.decode(text)
    except (ValueError, RecursionError):
        return _object_inside(text), True
    if isinstance(value, dict):
        return value, False
    return _object_inside(text), True


def _object_inside(text: str) -> dict[str, Any]:
    """The object in a wrapper of prose, a code fence or a list. Braces anywhere else make it ambiguous or broken."""
    start = text.find("{")
    if start == -1:
        raise InvalidAnswerError("there is no JSON object in the answer")
    try:
        value, end = _DECODER.raw_decode(text, start)
    except InvalidAnswerError:
        raise
    except (ValueError, RecursionError):
        raise InvalidAnswerError("the JSON in the answer is broken") from None
    if "{" in text[end:]:
        raise InvalidAnswerError("there is more than one JSON object in the answer")
    return dict(value)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        raise InvalidAnswerError("a key stands twice in the answer")
    return data


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidAnswerError(f"{name} is not JSON")


# The standard decoder, since it alone can refuse a key that stands twice.
_DECODER = json.JSONDecoder(object_pairs_hook=_no_duplicates, parse_constant=_refuse_constant)


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in problem["loc"])
    return f"{where}: {problem['msg'][0].lower()}{problem['msg'][1:]}"
