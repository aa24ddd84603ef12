"""Counting works for texts that overflow the library's own matcher."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.tokens import count_tokens
from llmbatch.tokens.o200k import _encoding, token_bytes

LONG = 60_000


def test_a_megabyte_of_white_space_does_not_crash() -> None:
    assert 0 < count_tokens(" " * 1_000_000) < 20_000


@pytest.mark.parametrize(
    "piece", ["The court adjourned, again. ", "naïve\r\n\r\n", "漢字 仮名 ", "x1  \t y_ \n", "don't! 12345 "]
)
def test_counts_of_long_texts_match_the_library(piece: str) -> None:
    text = piece * (3 * LONG // len(piece))
    assert count_tokens(text) == len(_encoding().encode_ordinary(text))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_the_tokens_make_up_the_text(text: str) -> None:
    assert b"".join(token_bytes(text)).decode() == text
