"""From an answer's content to a label of the task, or a stated reason why not.

Nothing is guessed: thinking and wrapper text are taken off, another spelling of a label or a number counts where it can
be read in one way only, and everything else is invalid. Broken JSON is never mended: a truncated `"fraud_high` would
become `fraud`.
"""

import json
from dataclasses import dataclass
from enum import Enum
from typing import Any, NoReturn

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from llmbatch.task.model import Task
from llmbatch.task.spelling import LabelSpellings, fraction_of, plain
from llmbatch.task.thinking import NoAnswerError, behind_thinking

_LONGEST_ANSWER = 20_000
_LONGEST_THINKING = 1_000_000
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
        self._spellings = LabelSpellings(task)
        self._model = _answer_model(task)

    def parse(self, content: str) -> Answer:
        """The label and confidence that `content` states.

        Raises:
            InvalidAnswerError: it states none, two, or one that is not the task's; or no confidence in 0..1.
        """
        data, repaired = _find_object(content)
        if not data.keys() <= _KEYS and _name_keys(data):
            repaired = True
        category = data.get("category")
        if isinstance(category, str) and category not in self._labels:
            label = self._spellings.label(category)
            if label is None:
                raise InvalidAnswerError(f"{category[:80]!r} is not one of the labels")
            data["category"], repaired = label, True
        repaired = _read_numbers(data) or repaired
        try:
            answer: Any = self._model.model_validate(data)
        except ValidationError as error:
            raise InvalidAnswerError(_first_problem(error)) from None
        return Answer(answer.category.value, _confidence(answer), _storable(answer.reasoning), repaired=repaired)


_KEYS = frozenset({"category", "percent", "confidence", "reasoning"})


def _name_keys(data: dict[str, Any]) -> bool:
    """Give keys that differ from ours in case, space or marks our names. Tells whether any did.

    Raises:
        InvalidAnswerError: a key stands twice, in two spellings.
    """
    others = {key: name for key in data if key not in _KEYS and (name := plain(key)) in _KEYS}
    for key, name in others.items():
        if name in data:
            raise InvalidAnswerError(f"the key {name!r} stands twice in the answer")
        data[name] = data.pop(key)
    return bool(others)


def _read_numbers(data: dict[str, Any]) -> bool:
    """Read a confidence that is spelled in another way than asked for. Tells whether one was.

    Raises:
        InvalidAnswerError: a percentage that can be read in two ways.
    """
    percent, confidence = data.get("percent"), data.get("confidence")
    if isinstance(percent, float | str) and confidence is None:
        if (fraction := fraction_of(percent, of_100=True)) is None:
            raise InvalidAnswerError(f"percent: {percent!r:.40} is no percentage that can be read in one way only")
        data["percent"], data["confidence"] = None, fraction
        return True
    if isinstance(confidence, str) and percent is None:
        if (fraction := fraction_of(confidence, of_100=False)) is None:
            raise InvalidAnswerError(f"confidence: {confidence!r:.40} is no confidence in 0..1")
        data["confidence"] = fraction
        return True
    return False


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
    _check_length(text, _LONGEST_THINKING)
    try:
        value = _DECODER.decode(text)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict):
        _check_length(text, _LONGEST_ANSWER)
        return value, False
    try:
        answer = behind_thinking(value if isinstance(value, str) else text)  # some encode the object twice
    except NoAnswerError as error:
        raise InvalidAnswerError(str(error)) from None
    _check_length(answer, _LONGEST_ANSWER)
    return _object_inside(answer), True


def _check_length(text: str, longest: int) -> None:
    if len(text) > longest:
        raise InvalidAnswerError(f"the answer is {len(text):,} characters long")


def _object_inside(text: str) -> dict[str, Any]:
    """The object in a wrapper of prose, a code fence or a list; where there are several, they are the same."""
    found: dict[str, Any] | None = None
    end = 0
    while (start := text.find("{", end)) != -1:
        value, end = _object_at(text, start, is_first=found is None)
        if found is not None and value != found:
            raise InvalidAnswerError("there is more than one JSON object in the answer")
        found = value
    if found is None:
        raise InvalidAnswerError("there is no JSON object in the answer")
    return found


def _object_at(text: str, start: int, *, is_first: bool) -> tuple[dict[str, Any], int]:
    try:
        value, end = _DECODER.raw_decode(text, start)
    except InvalidAnswerError:
        raise
    except (ValueError, RecursionError):
        what = "the JSON in the answer is broken" if is_first else "there is more than one JSON object in the answer"
        raise InvalidAnswerError(what) from None
    return value, end


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
