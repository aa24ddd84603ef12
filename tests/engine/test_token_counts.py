"""Texts are counted in a run only if the endpoint seems to count differently: the table costs more than the run."""

import json

import pytest

from llmbatch.engine.attempt import may_count_otherwise
from llmbatch.tokens import count_tokens
from tests.e2e.program import SAMPLE

PREFIX, FRAME = 1_576, 12
TEXTS = [json.loads(line)["text"] for line in SAMPLE.read_text().splitlines()]


def test_the_providers_own_tokenizer_needs_no_comparison() -> None:
    assert [one for one in TEXTS if may_count_otherwise(one, PREFIX + FRAME + count_tokens(one), PREFIX)] == []


@pytest.mark.parametrize("ratio", [1.5, 2.2])
def test_another_tokenizer_is_noticed(ratio: float) -> None:
    counted = {text: int(ratio * (PREFIX + FRAME + count_tokens(text))) for text in TEXTS}
    assert [text for text in TEXTS if not may_count_otherwise(text, counted[text], PREFIX)] == []
