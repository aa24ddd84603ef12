"""Faults of other providers' servers, in their own words, for rehearsals.

They are not among the mixed faults, since most of them require a person.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

from llmbatch.simulate.answer import Answer, Verdict, as_json
from llmbatch.simulate.answer_faults import AnswerFault
from llmbatch.simulate.error_faults import ErrorFault, Parameters
from llmbatch.simulate.reply import Reply, html_reply

if TYPE_CHECKING:
    from llmbatch.simulate.request import ChatRequest


def _json(status: int, body: Any) -> Reply:
    return Reply(status, orjson.dumps(body))


def _moderation(request: "ChatRequest", _: Parameters) -> Reply:
    message = f'{request.model} requires moderation. Your input was flagged for "violence".'
    return _json(403, {"error": {"message": message, "code": 403, "metadata": {"reasons": ["violence"]}}})


def _content_risk(_: "ChatRequest", __: Parameters) -> Reply:
    error = {"message": "Content Exists Risk", "type": "invalid_request_error", "param": None}
    return _json(400, {"error": {**error, "code": "invalid_request_error"}})


def _firewall(_: "ChatRequest", __: Parameters) -> Reply:
    return html_reply(403, "Attention Required! | Cloudflare", "Sorry, you have been blocked.")


def _context_size(_: "ChatRequest", __: Parameters) -> Reply:
    message = "request (18794 tokens) exceeds the available context size (8192 tokens), try increasing it"
    error = {"code": 400, "message": message, "type": "exceed_context_size_error"}
    return _json(400, {"error": {**error, "n_prompt_tokens": 18794, "n_ctx": 8192}})


def _loading(_: "ChatRequest", __: Parameters) -> Reply:
    return _json(503, {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}})


def _flex_unavailable(_: "ChatRequest", __: Parameters) -> Reply:
    error = {"message": "Resource Unavailable", "type": "invalid_request_error", "param": None}
    return _json(429, {"error": {**error, "code": "resource_unavailable"}})


def _flex_capacity(_: "ChatRequest", __: Parameters) -> Reply:
    error = {"message": "Flex tier capacity exceeded, please try again later", "type": "invalid_request_error"}
    return _json(498, {"error": {**error, "code": "capacity_exceeded"}})


def _error_in_answer(_: "ChatRequest", __: Parameters) -> Reply:
    return _json(200, {"error": {"message": "Rate limit exceeded: free-models-per-min. ", "code": 429}})


def _credits_in_answer(_: "ChatRequest", __: Parameters) -> Reply:
    return _json(200, {"error": {"message": "This request requires more credits.", "code": 402}})


def _no_choices(request: "ChatRequest", _: Parameters) -> Reply:
    usage = {"prompt_tokens": 1500, "completion_tokens": 0, "total_tokens": 1500}
    return _json(200, {"id": "x", "object": "chat.completion", "model": request.model, "choices": [], "usage": usage})


def first_idea(verdict: Verdict) -> str:
    """Thinking that considers another label first."""
    other = next((label for label in verdict.labels if label != verdict.label), verdict.label)
    return f"First idea: {as_json(verdict.replaced(verdict.label_key, other))}. But no."


def _thinking(answer: Answer, verdict: Verdict) -> Answer:
    return replace(answer, thinking=first_idea(verdict), thinking_place="tags")


def _reasoning_content(answer: Answer, verdict: Verdict) -> Answer:
    return replace(answer, thinking=first_idea(verdict), thinking_place="reasoning_content")


def _thinking_parts(answer: Answer, verdict: Verdict) -> Answer:
    return replace(answer, thinking=first_idea(verdict), thinking_place="parts")


def _answer_in_thinking(answer: Answer, verdict: Verdict) -> Answer:
    return replace(answer, content="", thinking=as_json(verdict.fields), thinking_place="reasoning_content")


def _thinking_unclosed(answer: Answer, verdict: Verdict) -> Answer:
    return replace(answer, content=f"<think>The format is {as_json(verdict.fields)}, so")


def _eos_token(answer: Answer, _: Verdict) -> Answer:
    return replace(answer, finish_reason="eos_token")


def _no_resources(answer: Answer, verdict: Verdict) -> Answer:
    return replace(answer, content=as_json(verdict.fields)[:5], finish_reason="insufficient_system_resource")


def _finish_upper(answer: Answer, _: Verdict) -> Answer:
    return replace(answer, finish_reason="STOP")


def _finish_empty(answer: Answer, _: Verdict) -> Answer:
    return replace(answer, finish_reason="")


def _broken_off(answer: Answer, verdict: Verdict) -> Answer:
    return replace(answer, content=as_json(verdict.fields)[:5], finish_reason="error")


def _decorated(answer: Answer, verdict: Verdict) -> Answer:
    return replace(answer, content=as_json(verdict.replaced(verdict.label_key, f"**{verdict.label}**.")))


def _other_tier(answer: Answer, _: Verdict) -> Answer:
    return replace(answer, service_tier="default")


def _no_tier(answer: Answer, _: Verdict) -> Answer:
    return replace(answer, service_tier=None)


MAKER_ERRORS: dict[str, ErrorFault] = {
    "moderation": _moderation,
    "content_risk": _content_risk,
    "firewall": _firewall,
    "context_size": _context_size,
    "loading": _loading,
    "flex_unavailable": _flex_unavailable,
    "flex_capacity": _flex_capacity,
    "error_in_answer": _error_in_answer,
    "credits_in_answer": _credits_in_answer,
    "no_choices": _no_choices,
}
MAKER_ANSWERS: dict[str, AnswerFault] = {
    "thinking": _thinking,
    "thinking_unclosed": _thinking_unclosed,
    "reasoning_content": _reasoning_content,
    "thinking_parts": _thinking_parts,
    "answer_in_thinking": _answer_in_thinking,
    "eos_token": _eos_token,
    "finish_upper": _finish_upper,
    "finish_empty": _finish_empty,
    "broken_off": _broken_off,
    "no_resources": _no_resources,
    "decorated": _decorated,
    "other_tier": _other_tier,
    "no_tier": _no_tier,
}
