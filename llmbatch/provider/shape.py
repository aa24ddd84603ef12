"""The parameters of a request that differ from model to model, and what to try next when one is refused."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from llmbatch.core.models import OutputMode, profile_of
from llmbatch.provider.wordings import parameters_named


@dataclass(frozen=True, slots=True)
class RequestShape:
    """The parameters of a request that differ from model to model and endpoint to endpoint."""

    output: OutputMode = OutputMode.JSON_SCHEMA
    limit_parameter: str = "max_tokens"
    max_output_tokens: int = 64
    temperature: float | None = 0.0
    reasoning_effort: str | None = None
    cache_key: bool = False
    """Send `prompt_cache_key`, so that a plan's requests share a cache."""
    cache_breakpoint: bool = False
    """Mark the end of the prefix, and prevent anything beyond it from being cached (`prompt_cache_options`)."""
    marks_prefix: bool = True
    """Mark the end of the prefix where possible; otherwise nothing at all is cached."""
    logprobs: bool = False
    """Ask for the tokens' log-probabilities."""
    system_role: bool = True
    """Send the prefix in a separate system message; otherwise in front of the document, in the user message."""
    states_stream: bool = True
    """Ask explicitly for no streaming, since some servers stream by default."""
    service_tier: str | None = None
    """Request another priority and price; None leaves it to the endpoint."""

    def with_room(self, max_output_tokens: int) -> "RequestShape":
        """The same shape with at least this many output tokens."""
        return (
            self if max_output_tokens <= self.max_output_tokens else replace(self, max_output_tokens=max_output_tokens)
        )


# Effort levels from the cheapest up; if a model rejects one, the next is tried (OpenAI, "Reasoning").
_EFFORTS = ("none", "minimal", "low")

# Tokens allowed for reasoning at each effort, on top of the limit for the answer itself.
_THINKING_ROOM = {"none": 0, "minimal": 128, "low": 2048}
UNBOUNDED_THINKING_ROOM = 8192
"""For unbounded reasoning."""
_HIGHEST_LIMIT = 65_536


def initial_shape(
    model: str,
    *,
    answer_tokens: int,
    temperature: float | None = None,
    reasoning_effort: str | None = None,
    logprobs: bool = False,
    service_tier: str | None = None,
) -> RequestShape:
    """The request shape to try first for a model.

    Args:
        model: the model's name as requested.
        answer_tokens: token limit of the visible answer.
        temperature: the user's setting; None leaves it to the model's profile (0 if it may be set).
        reasoning_effort: the user's setting; None uses the lowest that the model is known to accept.
        logprobs: request log-probabilities, unless the model is known not to provide them.
        service_tier: the user's setting.
    """
    profile = profile_of(model)
    effort = reasoning_effort if reasoning_effort is not None else profile.reasoning_effort
    room = 0 if effort is None else _THINKING_ROOM.get(effort, UNBOUNDED_THINKING_ROOM)
    return RequestShape(
        output=profile.output,
        limit_parameter=profile.limit_parameter,
        max_output_tokens=answer_tokens + room,
        temperature=temperature if temperature is not None else profile.temperature,
        reasoning_effort=effort,
        cache_key=profile.cache_key,
        cache_breakpoint=profile.caching is not None and profile.caching.breakpoints,
        logprobs=logprobs and gives_logprobs(model, reasoning_effort),
        service_tier=service_tier,
    )


def gives_logprobs(model: str, reasoning_effort: str | None) -> bool:
    """Whether a model may provide log-probabilities: not if it is known not to, or if it reasons.

    Args:
        model: the model's name as requested.
        reasoning_effort: the user's setting; None uses the lowest that the model is known to accept.
    """
    profile = profile_of(model)
    effort = reasoning_effort if reasoning_effort is not None else profile.reasoning_effort
    return profile.logprobs and effort in (None, "none")


def adapted(shape: RequestShape, parameter: str, message: str) -> RequestShape | None:
    """The next shape to try after an endpoint rejected a parameter, or None if there is no known fallback.

    Args:
        shape: the rejected shape.
        parameter: the parameter in question, or the error's own `param`; empty if it names none.
        message: the error's message, for endpoints that name the parameter only there.
    """
    named = f"({parameter}) {message}".lower()
    blamed = parameters_named(named)
    if parameter in _FALLBACKS:
        blamed.insert(0, parameter)
    if not blamed and not parameter:
        blamed = list(_UNNAMED)
    for name in blamed:
        if (next_shape := _FALLBACKS[name](shape, named)) is not None:
            return next_shape
    return None


def _looser_output(shape: RequestShape, _: str) -> RequestShape | None:
    modes = list(OutputMode)
    position = modes.index(shape.output) + 1
    return replace(shape, output=modes[position]) if position < len(modes) else None


def _other_limit(shape: RequestShape, _: str) -> RequestShape:
    other = "max_tokens" if shape.limit_parameter == "max_completion_tokens" else "max_completion_tokens"
    return replace(shape, limit_parameter=other)


def _higher_limit(shape: RequestShape, named: str) -> RequestShape | None:
    """A limit above the minimum that the error states, which may be the reasoning budget alone."""
    least = max((int(number) for number in re.findall(r"\d{1,6}", named)), default=shape.max_output_tokens * 4)
    if not 0 < least <= _HIGHEST_LIMIT or least < shape.max_output_tokens:
        return None
    return replace(shape, max_output_tokens=least + shape.max_output_tokens)


def _higher_effort(shape: RequestShape, _: str) -> RequestShape | None:
    effort = shape.reasoning_effort
    if effort is None:
        return None
    position = _EFFORTS.index(effort) + 1 if effort in _EFFORTS else len(_EFFORTS)
    higher = _EFFORTS[position] if position < len(_EFFORTS) else None
    room = UNBOUNDED_THINKING_ROOM if higher is None else _THINKING_ROOM[higher]
    answer_tokens = shape.max_output_tokens - _THINKING_ROOM.get(effort, UNBOUNDED_THINKING_ROOM)
    return replace(shape, reasoning_effort=higher, max_output_tokens=answer_tokens + room)


def _no_temperature(shape: RequestShape, _: str) -> RequestShape | None:
    return None if shape.temperature is None else replace(shape, temperature=None)


def _no_breakpoint(shape: RequestShape, _: str) -> RequestShape | None:
    return replace(shape, cache_breakpoint=False) if shape.cache_breakpoint else None


def _no_cache_key(shape: RequestShape, _: str) -> RequestShape | None:
    return replace(shape, cache_key=False) if shape.cache_key else None


def _no_logprobs(shape: RequestShape, _: str) -> RequestShape | None:
    return replace(shape, logprobs=False) if shape.logprobs else None


def _no_system_role(shape: RequestShape, _: str) -> RequestShape | None:
    return replace(shape, system_role=False, cache_breakpoint=False) if shape.system_role else None


def _no_service_tier(shape: RequestShape, _: str) -> RequestShape | None:
    return None if shape.service_tier is None else replace(shape, service_tier=None)


def _no_stream(shape: RequestShape, _: str) -> RequestShape | None:
    return replace(shape, states_stream=False) if shape.states_stream else None


_FALLBACKS: dict[str, Callable[[RequestShape, str], RequestShape | None]] = {
    "output_limit": _higher_limit,
    "max_tokens": _other_limit,
    "reasoning_effort": _higher_effort,
    "temperature": _no_temperature,
    "prompt_cache_options": _no_breakpoint,
    "prompt_cache_key": _no_cache_key,
    "logprobs": _no_logprobs,
    "system_role": _no_system_role,
    "response_format": _looser_output,
    "stream": _no_stream,
    "service_tier": _no_service_tier,
}
_UNNAMED = (
    "logprobs",
    "prompt_cache_options",
    "prompt_cache_key",
    "response_format",
    "temperature",
    "reasoning_effort",
    "stream",
)
"""What to give up, in order, if the error names no parameter: the least costly first."""
