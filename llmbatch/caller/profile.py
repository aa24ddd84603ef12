"""What a model takes, by its name, and what to try next when an endpoint refuses a parameter."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum


class OutputMode(StrEnum):
    """How the answer's form is asked for, from the tightest to the loosest."""

    JSON_SCHEMA = "json_schema"
    JSON_OBJECT = "json_object"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class RequestShape:
    """The parameters of a request that differ from model to model and endpoint to endpoint."""

    output: OutputMode = OutputMode.JSON_SCHEMA
    limit_parameter: str = "max_tokens"
    max_output_tokens: int = 64
    temperature: float | None = 0.0
    reasoning_effort: str | None = None
    cache_key: bool = False
    """Send `prompt_cache_key`, so that a plan's requests meet on the same cache."""


# Effort levels from the cheapest up; a model that refuses one is asked for the next (OpenAI, "Reasoning").
_EFFORTS = ("none", "minimal", "low")

# Tokens that thinking may take at each effort before the answer starts, on top of the answer's own ceiling.
_THINKING_ROOM = {"none": 0, "minimal": 128, "low": 2048}
_UNBOUNDED_THINKING_ROOM = 8192


@dataclass(frozen=True, slots=True)
class _Family:
    pattern: re.Pattern[str]
    limit_parameter: str
    reasoning_effort: str | None
    temperature: float | None
    cache_key: bool


# First match wins. Names after the last slash, so that a router's prefix (openai/...) does not matter.
_FAMILIES = (
    _Family(re.compile(r"gpt-[5-9][\d.]*-chat"), "max_completion_tokens", None, None, cache_key=True),
    _Family(re.compile(r"gpt-(5\.\d|[6-9])"), "max_completion_tokens", "none", None, cache_key=True),
    _Family(re.compile(r"gpt-5"), "max_completion_tokens", "minimal", None, cache_key=True),
    _Family(re.compile(r"o\d"), "max_completion_tokens", "low", None, cache_key=True),
    _Family(re.compile(r"(chatgpt-)?gpt-4(o|\.\d)"), "max_completion_tokens", None, 0.0, cache_key=True),
)
_UNKNOWN = _Family(re.compile(""), "max_tokens", None, 0.0, cache_key=False)


def initial_shape(
    model: str,
    *,
    answer_tokens: int,
    temperature: float | None = None,
    reasoning_effort: str | None = None,
) -> RequestShape:
    """The request to try first for a model.

    Args:
        model: its name as asked for.
        answer_tokens: the ceiling of the visible answer.
        temperature: the user's wish; None leaves it to the family (0 where it may be set).
        reasoning_effort: the user's wish; None takes the lowest that the family is known to take.
    """
    bare = model.rsplit("/", 1)[-1].lower()
    family = next((f for f in _FAMILIES if f.pattern.match(bare)), _UNKNOWN)
    effort = reasoning_effort if reasoning_effort is not None else family.reasoning_effort
    room = 0 if effort is None else _THINKING_ROOM.get(effort, _UNBOUNDED_THINKING_ROOM)
    return RequestShape(
        limit_parameter=family.limit_parameter,
        max_output_tokens=answer_tokens + room,
        temperature=temperature if temperature is not None else family.temperature,
        reasoning_effort=effort,
        cache_key=family.cache_key,
    )


def adapted(shape: RequestShape, parameter: str, message: str) -> RequestShape | None:
    """The next shape to try after an endpoint refused a parameter, or None where no fallback is known.

    Args:
        shape: what was refused.
        parameter: the error's `param`, or empty.
        message: the error's message, for endpoints that name the parameter only there.
    """
    named = f"{parameter} {message}".lower()
    for mentioned, fallback in _FALLBACKS:
        if any(word in named for word in mentioned) and (next_shape := fallback(shape)) is not None:
            return next_shape
    return None


def _looser_output(shape: RequestShape) -> RequestShape | None:
    modes = list(OutputMode)
    position = modes.index(shape.output) + 1
    return replace(shape, output=modes[position]) if position < len(modes) else None


def _other_limit(shape: RequestShape) -> RequestShape:
    other = "max_tokens" if shape.limit_parameter == "max_completion_tokens" else "max_completion_tokens"
    return replace(shape, limit_parameter=other)


def _higher_effort(shape: RequestShape) -> RequestShape | None:
    effort = shape.reasoning_effort
    if effort is None:
        return None
    position = _EFFORTS.index(effort) + 1 if effort in _EFFORTS else len(_EFFORTS)
    higher = _EFFORTS[position] if position < len(_EFFORTS) else None
    room = _UNBOUNDED_THINKING_ROOM if higher is None else _THINKING_ROOM[higher]
    answer_tokens = shape.max_output_tokens - _THINKING_ROOM.get(effort, _UNBOUNDED_THINKING_ROOM)
    return replace(shape, reasoning_effort=higher, max_output_tokens=answer_tokens + room)


def _no_temperature(shape: RequestShape) -> RequestShape | None:
    return None if shape.temperature is None else replace(shape, temperature=None)


def _no_cache_key(shape: RequestShape) -> RequestShape | None:
    return replace(shape, cache_key=False) if shape.cache_key else None


_FALLBACKS: tuple[tuple[tuple[str, ...], Callable[[RequestShape], RequestShape | None]], ...] = (
    (("max_tokens", "max_completion_tokens"), _other_limit),
    (("reasoning_effort", "reasoning.effort", "reasoning effort"), _higher_effort),
    (("temperature",), _no_temperature),
    (("prompt_cache_key",), _no_cache_key),
    (("response_format", "json_schema", "json_object", "structured output", "guided"), _looser_output),
)
