"""Whether an answer can be used at all, before its content is read: by its finish reason, and by what it holds.

Finish reasons are an open list: OpenAI defines five, other servers pass on their engine's or vendor's own. An unknown
one does not invalidate an answer that is complete and valid.
"""

from enum import Enum
from typing import Any

from llmbatch.provider.completion import Completion
from llmbatch.provider.failures import Action, Billed, Failure

UNUSUAL_FINISH = "finish_reason_unusual"
"""Flag of a row whose answer is complete and valid, with a finish reason unknown to OpenAI."""


class Ending(Enum):
    """Why an answer ended."""

    WHOLE = "whole"
    CUT = "cut"
    WINDOW = "window"
    FILTERED = "filtered"
    REFUSED = "refused"
    BROKEN = "broken"
    TOOL = "tool"


_PLAIN = frozenset({None, "stop", "eos", "end_turn"})

FINISH_REASONS: tuple[tuple[str, Ending, str], ...] = (
    ("stop", Ending.WHOLE, "OpenAI; STOP from Gemini"),
    ("end_turn", Ending.WHOLE, "Anthropic, Bedrock"),
    ("stop_sequence", Ending.WHOLE, "Anthropic, TGI"),
    ("eos", Ending.WHOLE, "Together, older Mistral"),
    ("eos_token", Ending.WHOLE, "TGI"),
    ("complete", Ending.WHOLE, "Cohere"),
    ("", Ending.WHOLE, "gateways"),
    ("length", Ending.CUT, "OpenAI"),
    ("max_tokens", Ending.CUT, "Anthropic, Gemini, Cohere"),
    ("max_output_tokens", Ending.CUT, "OpenAI Responses behind gateways"),
    ("model_length", Ending.CUT, "Mistral"),
    ("token_limit", Ending.CUT, "gateways"),
    ("model_context_window_exceeded", Ending.WINDOW, "Anthropic, Zhipu"),
    ("error_limit", Ending.WINDOW, "Cohere"),
    ("content_filter", Ending.FILTERED, "OpenAI, Azure"),
    ("content_filtered", Ending.FILTERED, "Bedrock"),
    ("guardrail_intervened", Ending.FILTERED, "Bedrock"),
    ("safety", Ending.FILTERED, "Gemini"),
    ("recitation", Ending.FILTERED, "Gemini"),
    ("prohibited_content", Ending.FILTERED, "Gemini"),
    ("blocklist", Ending.FILTERED, "Gemini"),
    ("spii", Ending.FILTERED, "Gemini"),
    ("sensitive", Ending.FILTERED, "Zhipu"),
    ("error_toxic", Ending.FILTERED, "Cohere"),
    ("refusal", Ending.REFUSED, "Anthropic"),
    ("error", Ending.BROKEN, "OpenRouter, Mistral"),
    ("insufficient_system_resource", Ending.BROKEN, "DeepSeek: docs, Create chat completion"),
    ("abort", Ending.BROKEN, "vLLM, SGLang"),
    ("aborted", Ending.BROKEN, "SGLang"),
    ("cancelled", Ending.BROKEN, "TensorRT-LLM, gateways"),
    ("timeout", Ending.BROKEN, "gateways"),
    ("network_error", Ending.BROKEN, "Zhipu"),
    ("internal_error", Ending.BROKEN, "gateways"),
    ("other", Ending.BROKEN, "Gemini"),
    ("malformed_function_call", Ending.BROKEN, "Gemini"),
    ("tool_calls", Ending.TOOL, "OpenAI"),
    ("function_call", Ending.TOOL, "OpenAI"),
    ("tool_use", Ending.TOOL, "Anthropic"),
    ("tool_call", Ending.TOOL, "Cohere"),
)
"""Each reason in lower case, what it means, and who sends it."""

_ENDINGS = {reason: ending for reason, ending, _ in FINISH_REASONS}


def ending_of(reason: str | None) -> Ending | None:
    """What a finish reason means, in any case; None if it is unknown."""
    return Ending.WHOLE if reason is None else _ENDINGS.get(reason.strip().lower().replace("-", "_"))


def flags_of(completion: Completion) -> tuple[str, ...]:
    """Flags for oddities of an answer that is accepted."""
    unusual = () if completion.finish_reason in _PLAIN else (UNUSUAL_FINISH,)
    return (*unusual, *completion.flags)


def judge_completion(completion: Completion) -> Failure | None:
    """The failure of an answer that cannot be used, judged before its content is parsed; None if it can."""
    common: dict[str, Any] = {"billed": Billed.YES, "request_id": completion.request_id}
    match ending_of(completion.finish_reason):
        case Ending.CUT:
            return Failure("truncated", Action.REASK, _cut(completion), **common)
        case Ending.WINDOW:
            return Failure("too_long", Action.FAIL, "document and answer exceed the model's context window", **common)
        case Ending.FILTERED:
            return Failure("filtered", Action.FAIL, "the provider's content filter blocked the answer", **common)
        case Ending.REFUSED:
            return Failure("refusal", Action.FAIL, "the model refused to answer", **common)
        case Ending.BROKEN:
            broken = f"the answer was aborted with finish reason {completion.finish_reason!r:.60}"
            return Failure("server_error", Action.RETRY, broken, may_be_outage=True, **common)
        case Ending.TOOL:
            return Failure("unusable", Action.FAIL, "the answer is a tool call", **common)
    if completion.refusal:
        return Failure("refusal", Action.FAIL, f"the model refused: {completion.refusal}", **common)
    if completion.has_tool_calls:
        return Failure("unusable", Action.FAIL, "the answer is a tool call", **common)
    if completion.content is None or not completion.content.strip():
        return Failure("empty", Action.REASK, _empty(completion), **common)
    return None


def judge_invalid(why: str, completion: Completion) -> Failure:
    """The failure of an answer whose content is not a label of the task with a confidence."""
    if ending_of(completion.finish_reason) is None:
        why = f"{why}; its finish reason is {completion.finish_reason!r:.60}"
    return Failure("invalid", Action.REASK, why, Billed.YES, request_id=completion.request_id)


def _cut(completion: Completion) -> str:
    usage = completion.usage
    if usage is None or not usage.output_tokens:
        return "the answer was cut off at the output limit; raise --max-output-tokens"
    thinking = f", {usage.reasoning_tokens:,} of them reasoning" if usage.reasoning_tokens else ""
    return f"the answer was cut off at {usage.output_tokens:,} tokens{thinking}; raise --max-output-tokens"


def _empty(completion: Completion) -> str:
    if not completion.thinking:
        return "the answer is empty"
    return f"the answer is empty except for reasoning, {len(completion.thinking):,} characters"
