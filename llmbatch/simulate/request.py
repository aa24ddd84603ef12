"""Parses a body into a request, or returns the 400 that OpenAI would send."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from llmbatch.core.models import profile_of
from llmbatch.core.prices import find_price
from llmbatch.simulate.dialects import Dialect, dialect_of
from llmbatch.simulate.parameters import check_parameters
from llmbatch.simulate.reply import reject
from llmbatch.simulate.strict_schema import check_strict

Message = tuple[str, str]
"""A role and a text."""


class Breakpoint(NamedTuple):
    """A position in a request: a number of characters into a message, with messages counted from 0."""

    message: int
    characters: int


# Reasoning models, by the name after a router's prefix (openai/...).
_REASONING = re.compile(r"o[134]|gpt-[56]")
_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
_LONGEST_TEXT, _TOO_LONG = 10_485_760, "string_above_max_length"
"""Characters of a message, and the code of one that has more."""
_FORMATS = frozenset({"text", "json_object", "json_schema"})


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A parsed request. `leading` are the messages before the last one, which a provider can cache."""

    model: str
    leading: tuple[Message, ...]
    last: Message
    schema: Mapping[str, Any] | None
    """The answer's JSON schema, if there is one."""
    max_tokens: int | None
    """The output limit in tokens."""
    azure: bool
    top_logprobs: int | None = None
    """How many of the most likely tokens to return for each token; None returns no log-probabilities."""
    breakpoints: tuple[Breakpoint, ...] = ()
    """Positions at which the request marks the end of a stable beginning."""
    marks_last: bool = True
    """Whether the end of the last message counts as a breakpoint too."""
    cache_key: str | None = None
    """`prompt_cache_key`."""
    service_tier: str = "default"
    """The service tier at which it is served."""
    temperature: float = 0.0
    """How much answers vary; 0 also if the request does not set it."""


def read_request(
    raw: bytes, *, deployment: str | None, refuse: frozenset[str], dialect: Dialect | None = None
) -> ChatRequest:
    """Read and check a request's body.

    Args:
        raw: the body.
        deployment: the Azure deployment in the path; it replaces the body's model.
        refuse: parameters, and types of response format, that this endpoint does not accept.
        dialect: the dialect of the endpoint; None for OpenAI's.

    Raises:
        RefusedError: with OpenAI's response to the error.
    """
    dialect = dialect or dialect_of("openai")
    refuse = refuse | dialect.refuses
    body, model = read_body(raw, deployment)
    messages = _messages(body.get("messages"))
    _check_refused(body, refuse)
    check_parameters(body, model, ignores_unknown=dialect.ignores_unknown)
    _check_answer_form(body)
    breakpoints, marks_last = _breakpoints(body, model, refuse)
    max_tokens = _max_tokens(body)
    if _REASONING.match(model.rsplit("/", 1)[-1].lower()):
        _check_reasoning_model(body)
    return ChatRequest(
        model=model,
        leading=tuple(messages[:-1]),
        last=messages[-1],
        schema=_schema(body.get("response_format"), messages, refuse, is_strict=dialect.strict),
        max_tokens=max_tokens,
        azure=deployment is not None,
        top_logprobs=(body.get("top_logprobs") or 0) if body.get("logprobs") else None,
        breakpoints=breakpoints,
        marks_last=marks_last,
        cache_key=body.get("prompt_cache_key"),
        service_tier=served_tier(body.get("service_tier"), model, dialect),
        temperature=body.get("temperature") or 0.0,
    )


def read_body(raw: bytes, deployment: str | None) -> tuple[dict[str, Any], str]:
    """A request's JSON object, and the model that it names: the Azure deployment in the path, if there is one.

    Raises:
        RefusedError: with OpenAI's response to the error.
    """
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        reject("We could not parse the JSON body of your request. The API expects a JSON payload.")
    if not isinstance(body, dict):
        reject("The JSON body of your request is not an object.")
    model = deployment if deployment is not None else body.get("model")
    if not isinstance(model, str) or not model:
        reject("you must provide a model parameter")
    return body, model


def served_tier(asked: str | None, model: str, dialect: Dialect) -> str:
    """The service tier at which a request is served, as its answer reports it.

    Raises:
        RefusedError: there is no such tier, or the model does not have it, by its published prices.
    """
    if asked in (None, "auto") or not dialect.tiers:
        return dialect.tiers[0] if dialect.tiers else "default"
    tier = "priority" if asked == "fast" else str(asked)
    if tier not in dialect.tiers:
        known = ", ".join(map(repr, ("auto", *dialect.tiers)))
        reject(f"Invalid value: {asked!r}. Supported values are: {known}.", "service_tier", "invalid_value")
    if dialect.strict and tier in ("flex", "priority") and not _has_tier(model, tier):
        reject("Invalid service_tier argument", "service_tier")
    return tier


@lru_cache(maxsize=64)
def _has_tier(model: str, tier: str) -> bool:
    standard = find_price(model)
    return standard is None or find_price(model, service_tier=tier) != standard


def _messages(messages: Any) -> list[Message]:
    if messages is None:
        reject("Missing required parameter: 'messages'.", "messages", "missing_required_parameter")
    if not isinstance(messages, list):
        reject("Invalid type for 'messages': expected an array of objects.", "messages", "invalid_type")
    if not messages:
        message = (
            "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead."
        )
        reject(message, "messages", "empty_array")
    return [_message(number, message) for number, message in enumerate(messages)]


def _message(number: int, message: Any) -> Message:
    where = f"messages[{number}]"
    if not isinstance(message, dict):
        reject(f"Invalid type for '{where}': expected an object.", where, "invalid_type")
    role, content = message.get("role"), message.get("content")
    if role not in _ROLES:
        expected = ", ".join(f"'{name}'" for name in sorted(_ROLES))
        reject(f"Invalid value: {role!r}. Supported values are: {expected}.", f"{where}.role", "invalid_value")
    if isinstance(content, str):
        if len(content) > _LONGEST_TEXT:
            text = (
                f"Invalid '{where}.content': string too long. Expected a string with maximum length {_LONGEST_TEXT}, "
            )
            reject(f"{text}but got a string with length {len(content)} instead.", f"{where}.content", _TOO_LONG)
        return role, content
    if not isinstance(content, list):
        text = f"Invalid type for '{where}.content': expected one of a string or array of objects."
        reject(text, f"{where}.content", "invalid_type")
    return role, "".join(_part(where, part) for part in content)


def _part(where: str, part: Any) -> str:
    if not isinstance(part, dict) or part.get("type") != "text" or not isinstance(part.get("text"), str):
        text = f"Invalid '{where}'. The offline endpoint takes content blocks of type text only."
        reject(text, where, "invalid_value")
    return str(part["text"])


def _check_answer_form(body: Mapping[str, Any]) -> None:
    """Refuse requests for another form of answer, instead of answering in the wrong one."""
    if body.get("stream"):
        reject("The offline endpoint does not stream.", "stream", "unsupported_value")
    if body.get("n") not in (None, 1):
        reject("The offline endpoint gives one choice.", "n", "unsupported_value")


def _check_refused(body: Mapping[str, Any], refuse: frozenset[str]) -> None:
    for name in sorted(refuse & body.keys()):
        message = f"Unsupported parameter: '{name}' is not supported with this model."
        reject(message, name, "unsupported_parameter")


def _breakpoints(body: Mapping[str, Any], model: str, refuse: frozenset[str]) -> tuple[tuple[Breakpoint, ...], bool]:
    """The positions up to which the prompt may be cached, and whether the end of its last message is one."""
    options = body.get("prompt_cache_options")
    mode = options.get("mode", "implicit") if isinstance(options, dict) else "implicit"
    if mode not in ("implicit", "explicit"):
        message = f"Invalid value: {mode!r}. Supported values are: 'implicit' and 'explicit'."
        reject(message, "prompt_cache_options.mode", "invalid_value")
    found = tuple(_marked_places(body["messages"]))
    caching = profile_of(model).caching
    if "prompt_cache_breakpoint" in refuse or (caching is not None and not caching.breakpoints):
        for name, given in (("prompt_cache_options", options), ("prompt_cache_breakpoint", found)):
            if given:
                message = f"Unsupported parameter: '{name}' is not supported with this model."
                reject(message, name, "unsupported_parameter")
    return found, mode == "implicit"


def _marked_places(messages: list[dict[str, Any]]) -> Iterator[Breakpoint]:
    for number, message in enumerate(messages):
        parts, characters = message["content"], 0
        for part in parts if isinstance(parts, list) else ():
            characters += len(part["text"])
            if part.get("prompt_cache_breakpoint"):
                yield Breakpoint(number, characters)


def _max_tokens(body: Mapping[str, Any]) -> int | None:
    given = [body[name] for name in ("max_tokens", "max_completion_tokens") if body.get(name) is not None]
    if len(given) > 1:
        reject("Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.", "max_tokens")
    return given[0] if given else None


def _check_reasoning_model(body: Mapping[str, Any]) -> None:
    if body.get("max_tokens") is not None:
        message = (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        )
        reject(message, "max_tokens", "unsupported_parameter")
    if body.get("logprobs") and body.get("reasoning_effort") != "none":
        message = "Unsupported parameter: 'logprobs' is not supported with this model."
        reject(message, "logprobs", "unsupported_parameter")
    if (temperature := body.get("temperature")) not in (None, 1):
        message = (
            f"Unsupported value: 'temperature' does not support {temperature} with this model. "
            "Only the default (1) value is supported."
        )
        reject(message, "temperature", "unsupported_value")


def _schema(form: Any, messages: list[Message], refuse: frozenset[str], *, is_strict: bool) -> Mapping[str, Any] | None:
    if form is None:
        return None
    kind = form.get("type") if isinstance(form, dict) else None
    if kind not in _FORMATS:
        message = f"Invalid value: {kind!r}. Supported values are: 'text', 'json_object' and 'json_schema'."
        reject(message, "response_format.type", "invalid_value")
    if kind in refuse:
        reject(
            f"Invalid parameter: 'response_format' of type '{kind}' is not supported with this model.",
            "response_format",
        )
    if kind == "json_object" and not any("json" in text.lower() for _, text in messages):
        message = (
            "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'."
        )
        reject(message, "messages")
    schema = _named_schema(form, is_strict=is_strict) if kind == "json_schema" else None
    if schema is not None and "$ref" in refuse and b'"$ref"' in orjson.dumps(schema):
        reject("Invalid schema for response_format: a reference to a component was not found.", "response_format")
    return schema


def _named_schema(form: Mapping[str, Any], *, is_strict: bool) -> Mapping[str, Any]:
    named = form.get("json_schema")
    if not isinstance(named, dict) or not isinstance(named.get("name"), str):
        where = "response_format.json_schema.name" if isinstance(named, dict) else "response_format.json_schema"
        reject(f"Missing required parameter: '{where}'.", where, "missing_required_parameter")
    schema = named.get("schema")
    if not isinstance(schema, dict) or not isinstance(schema.get("properties"), dict):
        message = f"Invalid schema for response_format '{named['name']}': schema must be an object with properties."
        reject(message, "response_format", "invalid_json_schema")
    if is_strict and named.get("strict"):
        _check_once(named["name"], orjson.dumps(schema))
    return schema


@lru_cache(maxsize=64)
def _check_once(name: str, schema: bytes) -> None:
    """`check_strict`, once for all requests of a run."""
    check_strict(name, orjson.loads(schema))
