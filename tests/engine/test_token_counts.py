"""Texts are counted in a run only where an endpoint seems to count otherwise: the table costs more than the run."""

import json

import pytest

from llmbatch.engine.attempt import may_count_otherwise
from llmbatch.tokens import count_tokens
from tests.e2e.program import SAMPLE

PREFIX, FRAME = 1_576, 12
TEXTS = [json.loads(line)["text"] for line in SAMPLE.read_text().splitlines()]


@pytest.mark.parametrize("text", TEXTS)
def test_the_providers_own_tokenizer_needs_no_comparison(text: str) -> None:
    assert not may_count_otherwise(text, PREFIX + FRAME + count_tokens(text), PREFIX)


@pytest.mark.parametrize("ratio", [1.5, 2.2])
@pytest.mark.parametrize("text", TEXTS)
def test_another_tokenizer_is_noticed(text: str, ratio: float) -> None:
    assert may_count_otherwise(text, int(ratio * (PREFIX + FRAME + count_tokens(text))), PREFIX)
