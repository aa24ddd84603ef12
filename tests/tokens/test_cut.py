"""Truncation respects the token limit, and cuts no character in two."""

import json
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.tokens import count_tokens, head, head_tail
from llmbatch.tokens.cut import MARK

NAUGHTY: list[str] = json.loads(
    (Path(__file__).parents[1] / "readers" / "data" / "naughty_strings" / "blns.json").read_bytes()
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300) | st.sampled_from(NAUGHTY)


@given(TEXTS, st.integers(1, 60), st.sampled_from([head, head_tail]))
def test_no_more_tokens_than_the_limit_are_left(text: str, tokens: int, cut: Callable[[str, int], str]) -> None:
    left = cut(text, tokens)
    assert count_tokens(left) <= tokens
    assert (left == text) == (count_tokens(text) <= tokens)


@given(TEXTS, st.integers(1, 60))
def test_a_head_is_the_beginning(text: str, tokens: int) -> None:
    assert text.startswith(head(text, tokens))


@given(TEXTS, st.integers(20, 60))
def test_both_ends_come_from_the_text(text: str, tokens: int) -> None:
    left = head_tail(text, tokens)
    if left != text:
        beginning, _, end = left.partition(MARK)
        assert text.startswith(beginning)
        assert text.endswith(end)


@pytest.mark.parametrize("cut", [head, head_tail])
def test_plain_words_are_cut_close_to_the_limit(cut: Callable[[str, int], str]) -> None:
    assert count_tokens(cut("One word after another. " * 500, 100)) >= 98


def test_the_two_ends_are_about_equally_long() -> None:
    beginning, _, end = head_tail(" ".join(map(str, range(2000))), 215).partition(MARK)
    assert abs(count_tokens(beginning) - count_tokens(end)) <= 2
    assert end.endswith(" 1999")


@pytest.mark.parametrize("character", ["é", "👩‍👩‍👧‍👦", "🏳️‍🌈", "नि", "漢"])
@pytest.mark.parametrize("tokens", [1, 2, 3, 5, 7, 11, 13])
def test_no_character_is_cut_in_two(character: str, tokens: int) -> None:
    character = unicodedata.normalize("NFD", character)
    left = head(f"{character} " * 40, tokens)
    assert left.rstrip() == "" or left.rstrip().endswith(character)
