"""Faults of the token counts: an endpoint may report something other than it bills."""

from collections.abc import Callable
from dataclasses import replace

from llmbatch.simulate.answer import Answer, Usage

UsageFault = Callable[[Answer], Answer]

_THINKING_TOKENS = 2_000
_ABSURD = 9 * 10**15


def _no_usage(answer: Answer) -> Answer:
    return replace(answer, usage=lambda _: None)


def _hidden_output(answer: Answer) -> Answer:
    """Thinking that is only in the total and exceeds the limit, as some providers report it."""
    return replace(answer, thinking_tokens=_THINKING_TOKENS, usage=_hidden)


def _total_usage(answer: Answer) -> Answer:
    """The same, but only the total is reported."""
    return replace(
        answer,
        thinking_tokens=_THINKING_TOKENS,
        usage=lambda usage: {"total_tokens": usage["total_tokens"]},
    )


def _absurd_usage(answer: Answer) -> Answer:
    return replace(answer, usage=lambda usage: usage | {"completion_tokens": _ABSURD, "total_tokens": _ABSURD})


def _hidden(usage: Usage) -> Usage:
    return usage | {"completion_tokens": usage["completion_tokens"] - _THINKING_TOKENS}


USAGE_FAULTS: dict[str, UsageFault] = {
    "no_usage": _no_usage,
    "hidden_output": _hidden_output,
    "total_usage": _total_usage,
    "absurd_usage": _absurd_usage,
}
