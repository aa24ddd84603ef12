"""Where an answer begins behind a model's thinking: only what stands there is its answer.

Models that think aloud weigh labels in JSON, so that an answer looked for in their thoughts is found, and wrong. Some
servers send the thinking in a field of its own; many do not, and some leave out the opening mark, which the chat
template has sent with the prompt.
"""

import re
from dataclasses import dataclass


class NoAnswerError(ValueError):
    """The text ends within the thinking."""


@dataclass(frozen=True, slots=True)
class ThinkingMarks:
    """How a family of models marks its thinking, as regular expressions."""

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
    """What stands behind the last closing mark; all of it where there is no thinking.

    Raises:
        NoAnswerError: nothing stands there, or thinking that was opened is not closed.
    """
    end = 0
    for closing in _CLOSING.finditer(content):
        end = closing.end()
    answer = content[end:]
    if _OPENING.search(answer):
        raise NoAnswerError("the answer ends within its thinking")
    if end and not answer.strip():
        raise NoAnswerError("there is no answer after the thinking")
    return answer
