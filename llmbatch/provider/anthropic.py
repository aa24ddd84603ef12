"""Anthropic's Messages API. Unlike Anthropic's OpenAI-compatible API, it can cache the prompt's prefix.

Sources: the types of Anthropic's own SDK (`message_create_params.py`, `usage.py`, `output_config_param.py`), the schema
keywords that it omits (`lib/_parse/_transform.py`), and the guide "Structured outputs" on models without them.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from llmbatch.core.models import ANTHROPIC_MESSAGES, OutputMode
from llmbatch.provider.completion import Completion, ErrorInAnswerError, NotACompletionError
from llmbatch.provider.dialect import ChatCompletions, Encoder
from llmbatch.provider.error_body import read_error_data
from llmbatch.provider.failures import Failure
from llmbatch.provider.request import Question, RequestEncoder
from llmbatch.provider.shape import RequestShape
from llmbatch.provider.usage import ReportedUsage, read_usage

_VERSION = "2023-06-01"
_BOUNDS = frozenset({"minimum", "maximum", "minItems", "maxItems", "uniqueItems"})
"""Keywords not supported in its schemas; answers are checked against them anyway."""


class AnthropicMessages(ChatCompletions):
    """The differences from chat completions, which already handle the wording of errors, limits and finish reasons."""

    name = ANTHROPIC_MESSAGES
    base_url = "https://api.anthropic.com/v1"
    key_variable = "ANTHROPIC_API_KEY"

    def path(self, model: str, *, deployment: bool) -> str:  # noqa: ARG002 - Azure's URLs apply only to OpenAI
        """Where requests go, below the base URL."""
        return "/messages"

    def headers(self, api_key: str) -> Mapping[str, str]:
        """The key in its own header, and the protocol's version."""
        return {"x-api-key": api_key, "anthropic-version": _VERSION}

    def encoder(self, question: Question) -> Encoder:
        """JSON with the prefix as the system prompt, marked for the cache."""
        return RequestEncoder(question, message_request)

    def decode(self, body: bytes, headers: Mapping[str, str]) -> Completion:
        """JSON with content blocks."""
        return decode_message(body, headers)

    def judge(self, status: int, headers: Mapping[str, str], body: bytes) -> Failure:
        """Uses the table of all vendors' wordings; the request id is in a different header."""
        failure = super().judge(status, headers, body)
        return replace(failure, request_id=headers.get("request-id"))

    def fallback(self, shape: RequestShape, parameter: str, message: str) -> RequestShape | None:
        """As for all vendors; `response_format` is called `output_config` here."""
        is_about_output = "output_config" in message or "output_format" in message
        return super().fallback(shape, "response_format" if is_about_output else parameter, message)


def message_request(question: Question, shape: RequestShape, content: str) -> dict[str, Any]:
    """The request as JSON data, with `content` as the only message."""
    prefix = {"type": "text", "text": question.prefix, "cache_control": {"type": "ephemeral"}}
    body: dict[str, Any] = {
        "model": question.model,
        "max_tokens": shape.max_output_tokens,
        "system": [prefix],
        "messages": [{"role": "user", "content": content}],
    }
    if shape.output is OutputMode.JSON_SCHEMA:
        body["output_config"] = {"format": {"type": "json_schema", "schema": _without_bounds(question.schema)}}
    for name in ("temperature", "service_tier"):
        if (wish := getattr(shape, name)) is not None:
            body[name] = wish
    return body


def decode_message(body: bytes, headers: Mapping[str, str]) -> Completion:
    """Decode the body of a 200 answer; its headers are looked up in lower case.

    Raises:
        NotACompletionError: it is not a message.
        ErrorInAnswerError: it contains an error.
    """
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise NotACompletionError("a body that is not JSON") from None
    if not isinstance(data, dict):
        raise NotACompletionError(f"JSON {type(data).__name__} instead of an object")
    if data.get("type") == "error":
        raise ErrorInAnswerError(read_error_data(data))
    blocks = data.get("content")
    if not isinstance(blocks, list):
        raise NotACompletionError("no content in it")
    reported, usage = _read_usage(data.get("usage")), data.get("usage")
    return Completion(
        content=_joined(blocks, "text"),
        finish_reason=_string(data.get("stop_reason")),
        has_tool_calls=any(isinstance(block, dict) and block.get("type") == "tool_use" for block in blocks),
        model=_string(data.get("model")),
        usage=reported.usage,
        service_tier=_string(usage.get("service_tier")) if isinstance(usage, dict) else None,
        request_id=headers.get("request-id") or _string(data.get("id")),
        usage_flag=reported.flag,
        thinking=_joined(blocks, "thinking"),
    )


def _read_usage(data: Any) -> ReportedUsage:
    """In OpenAI's terms: its input includes tokens read from and written to the cache; Anthropic's excludes them."""
    if not isinstance(data, dict):
        return read_usage(None)
    cached, written = data.get("cache_read_input_tokens"), data.get("cache_creation_input_tokens")
    counts = (data.get("input_tokens"), cached or 0, written or 0)
    if not all(type(count) is int for count in counts):
        return read_usage(None)
    thinking = data.get("output_tokens_details")
    return read_usage(
        {
            "prompt_tokens": sum(counts),
            "completion_tokens": data.get("output_tokens"),
            "prompt_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written},
            "completion_tokens_details": {
                "reasoning_tokens": thinking.get("thinking_tokens") if isinstance(thinking, dict) else None
            },
        }
    )


def _without_bounds(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_without_bounds(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    properties = schema.get("properties")  # property names are not keywords
    kept = {
        name: _without_bounds(part) for name, part in schema.items() if name not in _BOUNDS and name != "properties"
    }
    if isinstance(properties, dict):
        kept["properties"] = {name: _without_bounds(part) for name, part in properties.items()}
    return kept


def _joined(blocks: list[Any], kind: str) -> str | None:
    """The text of all blocks of a kind; None if there is none."""
    texts = [block.get(kind) for block in blocks if isinstance(block, dict) and block.get("type") == kind]
    return "".join(text for text in texts if isinstance(text, str)) if texts else None


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) else None
