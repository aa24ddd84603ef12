"""Decodes an answer's body: a chat completion from OpenAI or a compatible server."""

from collections.abc import Mapping
from decimal import Decimal
from http import HTTPStatus
from typing import Any

import orjson
from msgspec import Struct

from llmbatch.core.money import NANO
from llmbatch.core.usage import Usage
from llmbatch.provider.error_body import ErrorReport, read_error_data
from llmbatch.provider.usage import read_usage
from llmbatch.provider.wordings import wording_of
from llmbatch.task.logprobs import TokenLogprob

ANSWER_IN_THINKING = "answer_in_thinking"
"""Flag of an answer that the server reported as reasoning: it is one JSON object, and there was no other content."""


class NotACompletionError(ValueError):
    """The endpoint returned 200, but not a chat completion (a login page, a null, no choices)."""


class ErrorInAnswerError(ValueError):
    """The endpoint returned 200 with an error in the body."""

    def __init__(self, report: ErrorReport) -> None:
        super().__init__(report.message)
        self.report = report


class Completion(Struct, frozen=True, gc=False):
    """One answer, before it is judged. Absent or null fields are None."""

    content: str | None
    refusal: str | None = None
    finish_reason: str | None = None
    has_tool_calls: bool = False
    model: str | None = None
    usage: Usage | None = None
    """None if the endpoint does not report it, or reports an impossible value."""
    service_tier: str | None = None
    system_fingerprint: str | None = None
    request_id: str | None = None
    logprobs: tuple[TokenLogprob, ...] | None = None
    """Log-probabilities of the content's tokens, in order; None if missing or incomplete."""
    usage_flag: str | None = None
    """The ledger flag for a problem with the reported usage, if any."""
    stated_cost_nanousd: int | None = None
    """The cost reported by a proxy, in nano-dollars."""
    thinking: str | None = None
    """The model's reasoning before the answer, if reported in a separate field."""
    flags: tuple[str, ...] = ()
    """Oddities of an answer that is nevertheless accepted."""


def decode_completion(body: bytes, headers: Mapping[str, str] | None = None) -> Completion:
    """Decode the body of a 200 answer; its headers are looked up in lower case.

    Raises:
        NotACompletionError: it is something else, which the message names in a few words.
        ErrorInAnswerError: it contains an error.
    """
    data = object_in(body)
    choices = data.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else None
    check_for_errors(data, choice)
    if choice is None:
        if not isinstance(data.get("usage"), dict):
            raise NotACompletionError("no choices in it")
        choice = {"finish_reason": "content_filter"}  # billed without an answer: filtered
    message = choice.get("message", choice.get("delta"))
    if message is None and ("text" in choice or choice.get("finish_reason") == "content_filter"):
        message = {"content": choice.get("text")}  # Azure leaves it out if its filter blocked the answer
    if not isinstance(message, dict):
        raise NotACompletionError("no message in its first choice")
    reported = read_usage(data.get("usage"))
    content, thinking = _text(message.get("content")), _thinking(message)
    is_taken_for_thinking = not (content and content.strip()) and _is_object(thinking)
    return Completion(
        content=thinking if is_taken_for_thinking else content,
        refusal=_string(message.get("refusal")),
        finish_reason=_string(choice.get("finish_reason")),
        has_tool_calls=bool(message.get("tool_calls") or message.get("function_call")),
        model=_string(data.get("model")),
        usage=reported.usage,
        service_tier=_service_tier(data),
        system_fingerprint=_string(data.get("system_fingerprint")),
        request_id=(headers or {}).get("x-request-id") or _string(data.get("id")),
        logprobs=decode_logprobs(choice.get("logprobs")),
        usage_flag=reported.flag,
        stated_cost_nanousd=_stated_cost_nanousd(headers or {}),
        thinking=thinking,
        flags=(ANSWER_IN_THINKING,) if is_taken_for_thinking else (),
    )


def _service_tier(data: dict[str, Any]) -> str | None:
    """The tier that served an answer: in the answer, or in its usage (Anthropic and some gateways)."""
    usage = data.get("usage")
    within = usage.get("service_tier") if isinstance(usage, dict) else None
    return _string(data.get("service_tier")) or _string(within)


def _stated_cost_nanousd(headers: Mapping[str, str]) -> int | None:
    """A litellm proxy's `x-litellm-response-cost`, in US dollars; None if absent or implausible."""
    stated = headers.get("x-litellm-response-cost")
    if stated is None:
        return None
    try:
        usd = Decimal(stated)
    except ArithmeticError:
        return None
    return int(usd * NANO) if usd.is_finite() and 0 <= usd <= _DEAREST_USD else None


_DEAREST_USD = 1_000


def object_in(body: bytes) -> dict[str, Any]:
    """The JSON object in a body.

    Raises:
        NotACompletionError: it is not a JSON object.
        ErrorInAnswerError: it is a list with an error.
    """
    try:
        data = orjson.loads(body.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        raise NotACompletionError(_not_json(body)) from None
    if not isinstance(data, dict):
        if isinstance(data, list) and (report := read_error_data(data)).status is not None:
            raise ErrorInAnswerError(report)
        raise NotACompletionError(f"JSON {type(data).__name__} instead of an object")
    return data


def check_for_errors(data: dict[str, Any], choice: dict[str, Any] | None = None) -> None:
    """Raise an error found in an answer: next to its choices, in the first choice, or instead of them.

    Raises:
        NotACompletionError: there is an error that says nothing about its kind.
        ErrorInAnswerError: there is an error.
    """
    for error in (data.get("error"), None if choice is None else choice.get("error")):
        if error:
            raise ErrorInAnswerError(read_error_data({"error": error}))
    if choice is not None or isinstance(data.get("usage"), dict):
        return
    report = read_error_data(data)
    is_known = report.status is not None or wording_of(report.text, HTTPStatus.OK) is not None
    if report.is_error and (is_known or data.get("object") == "error"):
        raise ErrorInAnswerError(report)
    if report.is_error:
        raise NotACompletionError(f"no choices in it ({report.message:.200})")


def decode_logprobs(logprobs: Any) -> tuple[TokenLogprob, ...] | None:
    """The tokens of an answer with their log-probabilities, or None if any is malformed."""
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
    """A token's bytes and log-probability. If `bytes` is missing, as with some vendors, the text is used."""
    spelled = data.get("bytes")
    return bytes(spelled) if spelled is not None else data["token"].encode(), float(data["logprob"])


def _text(content: Any) -> str | None:
    """The text of a message's content: plain, in parts, or as an object already decoded by the server."""
    if isinstance(content, list):
        return "".join(_part(part) for part in content) or None
    if isinstance(content, dict):
        return _string(content.get("text")) or orjson.dumps(content).decode()
    return _string(content)


def _part(part: Any) -> str:
    """A part's text; empty for reasoning (Mistral's and Anthropic's `thinking`, Gemini's `thought`)."""
    if not isinstance(part, dict):
        return part if isinstance(part, str) else ""
    if part.get("thought") or part.get("type", "text") not in ("text", "output_text"):
        return ""
    return _string(part.get("text")) or ""


def _thinking(message: dict[str, Any]) -> str | None:
    """`reasoning_content` is DeepSeek's, vLLM's and llama.cpp's name for it, `reasoning` OpenRouter's and Groq's."""
    return next((text for name in _THINKING if isinstance(text := message.get(name), str) and text.strip()), None)


_THINKING = ("reasoning_content", "reasoning", "thinking")


def _is_object(text: str | None) -> bool:
    """Whether a text is one JSON object and nothing else."""
    try:
        return text is not None and isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError:
        return False


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _not_json(body: bytes) -> str:
    start = body.lstrip()[:15].lower()
    if not start:
        return "an empty body"
    if start.startswith((b"data:", b"event:")):
        return "an event stream, which was not requested"
    return "an HTML page" if start.startswith((b"<!doctype", b"<html")) else "a body that is not JSON"
