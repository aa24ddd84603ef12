"""Untrusted text is harmless in a terminal and in a spreadsheet."""

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llmbatch.core.sanitize import csv_meant, csv_safe, neutral

NAUGHTY: list[str] = json.loads(
    (Path(__file__).parents[1] / "readers" / "data" / "naughty_strings" / "blns.json").read_bytes()
)


def is_harmless(text: str) -> bool:
    return not any(
        unicodedata.category(c) in ("Cc", "Zl", "Zp", "Cs") or "\u202a" <= c <= "\u202e" or "\u2066" <= c <= "\u2069"
        for c in text
    )


@given(st.text())
def test_no_control_character_is_left(text: str) -> None:
    assert is_harmless(neutral(text))


def test_naughty_strings_are_harmless() -> None:
    assert [text for text in NAUGHTY if not is_harmless(neutral(text))] == []


@pytest.mark.parametrize("text", ["plain", "Zürich, 東京, العربية", "[/foo] [red] {0} %s", "a — b"])
def test_harmless_text_is_unchanged(text: str) -> None:
    assert neutral(text) == text


def test_an_escape_sequence_is_broken_visibly() -> None:
    assert neutral("\x1b[31mred\x07\n two") == "\ufffd[31mred\ufffd  two"


@given(st.text(), st.integers(1, 30))
def test_a_length_limit_is_respected(text: str, limit: int) -> None:
    assert len(neutral(text, limit=limit)) <= limit


def test_cut_text_ends_in_an_ellipsis() -> None:
    assert neutral("abcdef", limit=4) == "abc…"


@pytest.mark.parametrize(
    "cell", ["=1+1", "+SUM(A1)", "-cmd|' /C calc'!A0", "@x", "\t=1", "  =1", "\uff1d1", "-", "\r\n=x", "+1+1", "-1-1"]
)
def test_a_formula_gets_an_apostrophe(cell: str) -> None:
    assert csv_safe(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "-1.5", "+3", "1e5", "-.5", "text", "a=b", "'a", "3-2"])
def test_numbers_and_plain_text_are_unchanged(cell: str) -> None:
    assert csv_safe(cell) == cell


@given(st.text() | st.text(st.sampled_from("'=+- 1a\t")))
@example("''=1")
@example("' =1")
def test_an_added_apostrophe_can_be_removed_again(cell: str) -> None:
    assert csv_meant(csv_safe(cell)) == cell
