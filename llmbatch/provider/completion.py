"""An answer's body, decoded once: what OpenAI and the compatible servers send as a chat completion."""

from dataclasses import dataclass
from typing import Any

import orjson

from llmbatch.logprobs import TokenLogprob
from llmbatch.prices import Usage
from llmbatch.provider.usage import read_usage


class NotACompletionError(ValueError):
    """The endpoint said 200, but what it sent is no chat completion (a login page, a null, no choices)."""


@dataclass(frozen=True, slots=True)
class Completion:
    """One answer, before it is judged. Absent or null fields are None."""

    content: str | None
    refusal: str | None
    finish_reason: str | None
    has_tool_calls: bool
    model: str | None
    usage: Usage | None
    """None where the endpoint does not tell it, or tells what cannot be."""
    service_tier: str | None
    system_fingerprint: str | None
    request_id: str | None = None
    logprobs: tuple[TokenLogprob, ...] | None = None
    """Of the content's tokens, in their order; None where the endpoint gives none, or not all that it should."""
    usage_flag: str | None = None
    """What is wrong with the usage that was reported, as the ledger flags it; None where nothing is."""


def decode_completion(body: bytes, request_id: str | None = None) -> Completion:
    """Decode the body of a 200 answer.

    Raises:
        NotACompletionError: with what was found instead, in a few words.
    """
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise NotACompletionError(_not_json(body)) from None
    if not isinstance(data, dict):
        raise NotACompletionError(f"JSON {type(data).__name__} instead of an object")
    choices = data.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise NotACompletionError("no choices in it")
    choice = choices[0]
    message = choice.get("message")
    if message is None and choice.get("finish_reason") == "content_filter":
        message = {}  # Azure leaves it out where its filter held the answer back
    if not isinstance(message, dict):
        raise NotACompletionError("no message in its first choice")
    reported = read_usage(data.get("usage"))
    return Completion(
        content=_text(message.get("content")),
        refusal=_string(message.get("refusal")),
        finish_reason=_string(choice.get("finish_reason")),
        has_tool_calls=bool(message.get("tool_calls") or message.get("function_call")),
        model=_string(data.get("model")),
        usage=reported.usage,
        service_tier=_string(data.get("service_tier")),
        system_fingerprint=_string(data.get("system_fingerprint")),
        request_id=request_id or _string(data.get("id")),
        logprobs=decode_logprobs(choice.get("logprobs")),
        usage_flag=reported.flag,
    )


def decode_logprobs(logprobs: Any) -> tuple[TokenLogprob, ...] | None:
    """The tokens of an answer with their log-probabilities, or None where any of them is not as it should be."""
    tokens = logprobs.get("content") if isinstance(logprobs, dict) else None
    if not isinstance(tokens, list) or not tokens:
        return None
    try:
        return tuple(
            TokenLogprob(*_token(token), tuple(_token(other) for other in token.get("top_logprobs") or ()))
            for token in tokens
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _token(data: Any) -> tuple[bytes, float]:
    """A token's bytes and log-probability. Without `bytes`, which some makers leave out, its text stands for them."""
    spelled = data.get("bytes")
    return bytes(spelled) if spelled is not None else data["token"].encode(), float(data["logprob"])


def _text(content: Any) -> str | None:
    if isinstance(content, list):  # some makers answer in parts
        parts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text"]
        return "".join(part for part in parts if isinstance(part, str)) or None
    return _string(content)


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _not_json(body: bytes) -> str:
    start = body.lstrip()[:15].lower()
    if not start:
        return "an empty body"
    return "an HTML page" if start.startswith((b"<!doctype", b"<html")) else "a body that is not JSON"
