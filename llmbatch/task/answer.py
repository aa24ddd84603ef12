"""Parses an answer's content into a label of the task, or a stated reason why it cannot.

Nothing is guessed: reasoning and wrapper text are removed, another spelling of a label or a number counts only if it is
unambiguous, and everything else is invalid. Broken JSON is never repaired: a truncated `"fraud_high` would become
`fraud`.
"""

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from msgspec import Struct

from llmbatch.task.kind import InvalidAnswerError
from llmbatch.task.label_space import LabelSpace
from llmbatch.task.spelling import plain
from llmbatch.task.thinking import NoAnswerError, behind_thinking

_LONGEST_ANSWER = 20_000
_LONGEST_THINKING = 1_000_000
_LONGEST_REASONING = 2_000


class Answer(Struct, frozen=True, gc=False):
    """A valid answer. `repaired` means that a wrapper or another spelling was resolved."""

    category: str
    """The row's value, as the task's label space writes it."""
    confidence: float
    reasoning: str | None
    repaired: bool
    confidences: Mapping[str, float] | None = None
    """Confidence by field and label, if the task takes more than one label."""


class AnswerParser:
    """Reads answers whose values are of one label space."""

    def __init__(self, space: LabelSpace) -> None:
        self._space = space

    def parse(self, content: str) -> Answer:
        """Parse the label and confidence in `content`.

        Raises:
            InvalidAnswerError: there is no label, two, or one that is not in the task; or no confidence in 0..1.
        """
        data, repaired = _find_object(content)
        if not data.keys() <= self._space.keys and self._name_keys(data):
            repaired = True
        reading = self._space.read(data)
        reasoning = data.get("reasoning")
        if reasoning is not None and not isinstance(reasoning, str):
            raise InvalidAnswerError(f"reasoning: {reasoning!r:.40} is not text")
        return Answer(
            reading.text,
            reading.confidence,
            _storable(reasoning),
            repaired=repaired or reading.repaired,
            confidences=reading.confidences,
        )

    def _name_keys(self, data: dict[str, Any]) -> bool:
        """Rename keys that differ from ours in case, space or marks. Returns whether any did.

        Raises:
            InvalidAnswerError: a key occurs twice, in two spellings.
        """
        keys = self._space.keys
        ours = {plain(key): key for key in keys}
        others = {key: name for key in data if key not in keys and (name := ours.get(plain(key))) is not None}
        for key, name in others.items():
            if name in data:
                raise InvalidAnswerError(f"the key {name!r} is in the answer twice")
            data[name] = data.pop(key)
        return bool(others)


def _storable(reasoning: str | None) -> str | None:
    """A rationale that any file can store: without lone surrogates, which JSON escapes can introduce, and truncated."""
    return None if reasoning is None else reasoning[:_LONGEST_REASONING].encode("utf-8", "replace").decode()


def _find_object(content: str) -> tuple[dict[str, Any], bool]:
    """The one JSON object in `content`, and whether there was anything around it."""
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
        answer = behind_thinking(value if isinstance(value, str) else text)  # some models encode the object twice
    except NoAnswerError as error:
        raise InvalidAnswerError(str(error)) from None
    _check_length(answer, _LONGEST_ANSWER)
    return _object_inside(answer), True


def _check_length(text: str, longest: int) -> None:
    if len(text) > longest:
        raise InvalidAnswerError(f"the answer is {len(text):,} characters long")


def _object_inside(text: str) -> dict[str, Any]:
    """The object in a wrapper of prose, a code fence or a list; if there are several, they must be identical."""
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
        raise InvalidAnswerError("a key is in the answer twice")
    return data


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidAnswerError(f"{name} is not JSON")


# The standard decoder, since only it can reject duplicate keys.
_DECODER = json.JSONDecoder(object_pairs_hook=_no_duplicates, parse_constant=_refuse_constant)
