"""Finds where an answer begins after a model's reasoning: only what follows is its answer.

Models that reason in the answer consider labels in JSON there, so an answer searched for in the reasoning is found, but
wrong. Some servers send the reasoning in a separate field; many do not, and some leave out the opening mark, which the
chat template has already put in the prompt.
"""

import re
from dataclasses import dataclass


class NoAnswerError(ValueError):
    """The text ends within the reasoning."""


@dataclass(frozen=True, slots=True)
class ThinkingMarks:
    """How a family of models marks its reasoning, as regular expressions."""

    opening: str
    closing: str
    source: str


MARKS = (
    ThinkingMarks(r"<think>", r"</think>", "DeepSeek-R1, Qwen3, GLM-4.5, MiniMax-M2: model cards"),
    ThinkingMarks(
        r"<(?:\w{1,20}[:_])?(?:thinking|thought|think|reasoning|reason|reflection|analysis|scratchpad)\b[^<>]{0,40}>",
        r"</(?:\w{1,20}[:_])?(?:thinking|thought|think|reasoning|reason|reflection|analysis|scratchpad)\s*>",
        "Anthropic's prompt guide (thinking), EXAONE Deep (thought), Seed-OSS (seed:think), LongCat (longcat_think)",
    ),
    ThinkingMarks(r"\[THINK\]", r"\[/THINK\]", "Mistral Magistral: tokenizer of mistral-common"),
    ThinkingMarks(r"◁think▷", r"◁/think▷", "Kimi-VL-Thinking: model card"),
    ThinkingMarks(r"<unused94>", r"<unused95>", "MedGemma 1.5: model card"),
    ThinkingMarks(r"<\|START_THINKING\|>", r"<\|END_THINKING\|>", "Cohere Command A Reasoning: model card"),
    ThinkingMarks(r"<\|begin_of_thought\|>", r"<\|end_of_thought\|>", "Sky-T1, OpenThinker: system prompts"),
    ThinkingMarks(r"<\|inner_prefix\|>", r"<\|inner_suffix\|>", "Apertus: chat template"),
    ThinkingMarks(
        r"<\|channel\|>\s*(?:analysis|commentary)\b",
        r"<\|channel\|>\s*final\b[^{}]{0,80}?<\|message\|>",
        "gpt-oss: openai/harmony, its channels; github.com/vllm-project/vllm/issues/23694",
    ),
    ThinkingMarks(
        r"\A\s*analysis(?=[A-Z])",
        r"assistantfinal",
        "gpt-oss behind a server that drops special tokens: its channel names run into the text",
    ),
    ThinkingMarks(
        r"\AHere(?: is|'s) my thought process:", r"Here(?: is|'s) my response:", "IBM Granite 3.2: chat template"
    ),
)

_CLOSING = re.compile("|".join(f"(?:{marks.closing})" for marks in MARKS), re.IGNORECASE)
_OPENING = re.compile("|".join(f"(?:{marks.opening})" for marks in MARKS), re.IGNORECASE)


def behind_thinking(content: str) -> str:
    """The text after the last closing mark, or all of it if there is no reasoning.

    Raises:
        NoAnswerError: there is no text after it, or the reasoning is not closed.
    """
    end = 0
    for closing in _CLOSING.finditer(content):
        end = closing.end()
    answer = content[end:]
    if _OPENING.search(answer):
        raise NoAnswerError("the answer ends within its reasoning")
    if end and not answer.strip():
        raise NoAnswerError("there is no answer after the reasoning")
    return answer
