"""The parameters of a chat completion, their types and ranges, and the words in which others are refused.

Source: the request's schema in the installed SDK (`openai/types/chat/completion_create_params.py`), which a test
compares with this table; ranges from the same documentation; wordings from OpenAI's own refusals.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from llmbatch.core.models import UNKNOWN, profile_of
from llmbatch.simulate.reply import reject


@dataclass(frozen=True, slots=True)
class Parameter:
    """The allowed values of one parameter."""

    types: tuple[type, ...]
    name: str
    """Name of the type in refusals."""
    low: float | None = None
    high: float | None = None
    values: tuple[str, ...] = ()
    """The allowed values; empty allows any."""


def _integer(low: int | None = None, high: int | None = None) -> Parameter:
    return Parameter((int,), "an integer", low, high)


def _decimal(low: float, high: float) -> Parameter:
    return Parameter((int, float), "a decimal", low, high)


def _one_of(*values: str) -> Parameter:
    return Parameter((str,), "a string", values=values)


_ANY = Parameter((object,), "anything")
_BOOLEAN = Parameter((bool,), "a boolean")
_STRING = Parameter((str,), "a string")
_OBJECT = Parameter((dict,), "an object")
_ARRAY = Parameter((list,), "an array")
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")

PARAMETERS: Mapping[str, Parameter] = MappingProxyType(
    {
        "audio": _OBJECT,
        "frequency_penalty": _decimal(-2, 2),
        "function_call": _ANY,
        "functions": _ARRAY,
        "logit_bias": _OBJECT,
        "logprobs": _BOOLEAN,
        "max_completion_tokens": _integer(1),
        "max_tokens": _integer(1),
        "messages": _ANY,
        "metadata": _OBJECT,
        "modalities": _ARRAY,
        "model": _ANY,
        "moderation": _OBJECT,
        "n": _integer(1, 128),
        "parallel_tool_calls": _BOOLEAN,
        "prediction": _OBJECT,
        "presence_penalty": _decimal(-2, 2),
        "prompt_cache_key": _STRING,
        "prompt_cache_options": _OBJECT,
        "prompt_cache_retention": _one_of("in_memory", "24h"),
        "reasoning_effort": _one_of(*_EFFORTS),
        "response_format": _OBJECT,
        "safety_identifier": _STRING,
        "seed": _integer(-(1 << 63), (1 << 63) - 1),
        "service_tier": _STRING,
        "stop": _ANY,
        "store": _BOOLEAN,
        "stream": _BOOLEAN,
        "stream_options": _OBJECT,
        "temperature": _decimal(0, 2),
        "tool_choice": _ANY,
        "tools": _ARRAY,
        "top_logprobs": _integer(0, 20),
        "top_p": _decimal(0, 1),
        "user": _STRING,
        "verbosity": _one_of("low", "medium", "high"),
        "web_search_options": _OBJECT,
    }
)

_EFFORTS_FROM = {
    "none": ("none", "low", "medium", "high", "xhigh"),
    "minimal": ("minimal", "low", "medium", "high"),
    "low": ("low", "medium", "high"),
}
"""The efforts that a model accepts, by the lowest one."""


def check_parameters(body: Mapping[str, Any], model: str, *, ignores_unknown: bool = False) -> None:
    """Refuse unknown parameters and invalid values; null counts as absent.

    Args:
        body: of the request.
        model: the requested one.
        ignores_unknown: ignore unknown parameters.

    Raises:
        RefusedError: with 400.
    """
    for name, value in body.items():
        if name not in PARAMETERS:
            if not ignores_unknown:
                reject(f"Unknown parameter: {name!r}.", name, "unknown_parameter")
        elif value is not None:
            _check_value(name, value, PARAMETERS[name])
    if body.get("top_logprobs") is not None and not body.get("logprobs"):
        reject("'top_logprobs' can only be set when 'logprobs' is true.", "top_logprobs")
    if (effort := body.get("reasoning_effort")) is not None:
        _check_effort(effort, model)


def _check_value(name: str, value: Any, takes: Parameter) -> None:
    if not isinstance(value, takes.types) or (isinstance(value, bool) and takes.types not in ((bool,), (object,))):
        message = f"Invalid type for '{name}': expected {takes.name}, but got {_named(value)} instead."
        reject(message, name, "invalid_type")
    if takes.values and value not in takes.values:
        reject(f"Invalid value: {value!r}. Supported values are: {_listed(takes.values)}.", name, "invalid_value")
    _check_range(name, value, takes)


def _check_range(name: str, value: Any, takes: Parameter) -> None:
    kind = takes.name.rpartition(" ")[2]
    if takes.low is not None and value < takes.low:
        message = f"Invalid '{name}': {kind} below minimum value. Expected a value >= {takes.low}, but got {value}"
        reject(f"{message} instead.", name, f"{kind}_below_min_value")
    if takes.high is not None and value > takes.high:
        message = f"Invalid '{name}': {kind} above maximum value. Expected a value <= {takes.high}, but got {value}"
        reject(f"{message} instead.", name, f"{kind}_above_max_value")


def _check_effort(effort: str, model: str) -> None:
    profile = profile_of(model)
    if profile is UNKNOWN:
        return
    if profile.reasoning_effort is None:
        reject("Unrecognized request argument supplied: reasoning_effort", "reasoning_effort")
    if effort not in (taken := _EFFORTS_FROM[profile.reasoning_effort]):
        message = f"Unsupported value: 'reasoning_effort' does not support '{effort}' with this model. "
        reject(f"{message}Supported values are: {_listed(taken)}.", "reasoning_effort", "unsupported_value")


def _listed(values: tuple[str, ...]) -> str:
    *most, last = map(repr, values)
    return f"{', '.join(most)}, and {last}"


def _named(value: Any) -> str:
    names = {bool: "a boolean", int: "an integer", float: "a decimal", str: "a string", list: "an array"}
    return names.get(type(value), "an object")
