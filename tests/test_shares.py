"""Shares as users write them."""

import pytest

from llmbatch.core.shares import share_of


@pytest.mark.parametrize(
    ("text", "share"),
    [("90%", 0.9), ("0.9", 0.9), (" 12.5 % ", 0.125), ("0", 0.0), ("1", 1.0), ("100%", 1.0), ("0%", 0.0)],
)
def test_a_share_is_a_percentage_or_a_fraction(text: str, share: float) -> None:
    assert share_of(text) == share


@pytest.mark.parametrize("text", ["", "%", "x", "nan", "nan%", "inf", "-1%", "101%", "1.01", "90%%", "90"])
def test_invalid_text_is_not_a_share(text: str) -> None:
    assert share_of(text) is None
