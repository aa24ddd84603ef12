"""Only the text after a model's thinking is its answer."""

import pytest

from llmbatch.task.answer import Answer, AnswerParser
from llmbatch.task.fields import Label
from llmbatch.task.kind import InvalidAnswerError
from llmbatch.task.label_space import plain_space

PARSER = AnswerParser(plain_space((Label(name="technical"), Label(name="business"))))
WRONG = '{"category":"business","percent":85}'
RIGHT = '{"category":"technical","percent":90}'
ANSWER = Answer("technical", 0.9, None, repaired=True)

MARKS = [
    ("<think>", "</think>"),
    ("<THINK>", "</think >"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<seed:think>", "</seed:think>"),
    ("<longcat_think>", "</longcat_think>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<unused94>thought", "<unused95>"),
    ("<|START_THINKING|>", "<|END_THINKING|><|START_RESPONSE|>"),
    ("<|begin_of_thought|>", "<|end_of_thought|><|begin_of_solution|>"),
    ("<|inner_prefix|>", "<|inner_suffix|>"),
    ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
    ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final <|constrain|>json<|message|>"),
    ("analysisWe weigh it. ", "assistantfinal"),
    ("Here is my thought process:", "Here is my response:"),
]


@pytest.mark.parametrize(("opening", "closing"), MARKS)
def test_a_label_mentioned_in_the_thinking_is_not_the_answer(opening: str, closing: str) -> None:
    assert PARSER.parse(f"{opening}First idea: {WRONG}. No.{closing}\n{RIGHT}") == ANSWER
    with pytest.raises(InvalidAnswerError, match="no JSON object"):
        PARSER.parse(f"{opening}First idea: {WRONG}. No.{closing} The label is **technical**")
    with pytest.raises(InvalidAnswerError, match=r"no answer after the reasoning|no JSON object"):
        PARSER.parse(f"{opening}First idea: {WRONG}. No.{closing}\n")


@pytest.mark.parametrize("closing", [closing for _, closing in MARKS[:15]])
def test_thinking_without_an_opening_tag_still_ends_at_the_closing_tag(closing: str) -> None:
    assert PARSER.parse(f"thoughts {{with braces}} {WRONG}{closing}{RIGHT}") == ANSWER


@pytest.mark.parametrize("opening", [opening for opening, _ in MARKS])
def test_unclosed_thinking_contains_no_answer(opening: str) -> None:
    with pytest.raises(InvalidAnswerError, match="within its reasoning"):
        PARSER.parse(f"{opening}The format is {WRONG} so")


def test_thinking_after_an_answer_discards_the_answer() -> None:
    with pytest.raises(InvalidAnswerError, match="within its reasoning"):
        PARSER.parse(f"<think>a</think>{RIGHT}<think>or {WRONG}")


def test_thinking_tags_inside_a_complete_answer_are_text() -> None:
    raw = '{"reasoning":"it quotes <think> and </think>","category":"technical","percent":90}'
    assert PARSER.parse(raw).category == "technical"


def test_special_tokens_after_an_answer_are_removed() -> None:
    assert PARSER.parse(f"{RIGHT}<|im_end|>") == ANSWER


def test_long_thinking_does_not_count_towards_the_answers_length() -> None:
    assert PARSER.parse(f"<think>{'so ' * 20_000}</think>{RIGHT}") == ANSWER
