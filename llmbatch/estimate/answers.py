"""Expected length of answers, from the answer schema alone."""

from collections.abc import Callable, Iterator, Mapping
from math import ceil
from typing import Any

import orjson

from llmbatch.estimate.cost import Range

# Sample values of properties other than labels, by type: a two-digit confidence, a rationale of one short sentence.
_FILLINGS: dict[str, Any] = {"number": 0.93, "integer": 93}
_SENTENCE = "The document mainly describes how a software service failed and how it was repaired."
# Models may put spaces in their JSON, and may prefer longer labels.
_UNKIND_LENGTH = 1.5
# If a model reasons before it answers, this share of the allowance is expected to be used. A guess; but at the lowest
# effort, models mostly answer such questions at once (OpenAI, "Using GPT-5": few or no reasoning tokens).
_THOUGHT_SHARE = 1 / 8
_AT_ONCE = frozenset({"minimal"})


def answer_tokens(schema: Mapping[str, Any], *, ceiling: int, effort: str | None, count: Callable[[str], int]) -> Range:
    """Tokens of one answer.

    Args:
        schema: the answer schema, with the labels as an enum.
        ceiling: the output limit of a request.
        effort: the reasoning effort, for which the ceiling leaves room; None for no reasoning.
        count: counts a text's tokens.
    """
    sizes = [count(answer) for answer in _answers(schema)]
    low, mean, high = min(sizes), sum(sizes) / len(sizes), ceil(max(sizes) * _UNKIND_LENGTH)
    if effort in (None, "none"):
        return Range(low, mean, min(high, ceiling))
    thought = 0.0 if effort in _AT_ONCE else (ceiling - high) * _THOUGHT_SHARE
    return Range(low, min(mean + thought, ceiling), ceiling)


def _answers(schema: Mapping[str, Any]) -> Iterator[str]:
    """An answer for each label."""
    properties: Mapping[str, Mapping[str, Any]] = schema["properties"]
    name, labels = next((name, form["enum"]) for name, form in properties.items() if "enum" in form)
    others = {key: _FILLINGS.get(form.get("type", ""), _SENTENCE) for key, form in properties.items()}
    for label in labels:
        yield orjson.dumps({**others, name: label}).decode()
