"""The sample's total is right within its margin, and its size is bounded whatever the input is."""

from hashlib import blake2b
from random import Random

import pytest

from llmbatch.estimate.sample import TokenSample, TokenTotal

WORDS = ["court", "invoice", "a", "stacktrace", "漢字", "be", "marketing-campaign", "12"]


def drawn(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest())


def tokens(text: str) -> int:
    return sum(1 + len(word) // 5 for word in text.split())


def texts(count: int, seed: int) -> list[str]:
    random = Random(seed)
    return [f"{number} " + " ".join(random.choices(WORDS, k=random.randint(1, 200))) for number in range(count)]


def sampled(all_texts: list[str], most_bytes: int | None) -> tuple[TokenTotal, int]:
    counted = 0

    def count(text: str) -> int:
        nonlocal counted
        counted += len(text.encode())
        return tokens(text)

    sample = TokenSample(most_bytes, count)
    for text in all_texts:
        sample.add(drawn(text), text)
    return sample.total(), counted


def test_within_its_bounds_everything_is_counted() -> None:
    some = texts(50, 1)
    total, _ = sampled(some, 1_000_000)
    assert total == TokenTotal(sum(map(tokens, some)), 0.0, 50, 50)
    assert total.is_exact


def test_without_bounds_everything_is_counted() -> None:
    total, _ = sampled(texts(500, 1), None)
    assert total.is_exact


@pytest.mark.parametrize("seed", range(12))
def test_the_truth_lies_within_twice_the_margin(seed: int) -> None:
    some = texts(3000, seed)
    total, counted = sampled(some, 100_000)
    truth = sum(map(tokens, some))
    assert 0 < total.margin < 0.05 * truth
    assert abs(total.tokens - truth) < 2 * total.margin
    assert counted < 800_000, "an input of any size costs a few times the bound"


def test_an_empty_input_has_no_tokens() -> None:
    assert sampled([], 100)[0] == TokenTotal(0, 0.0, 0, 0)


def test_a_single_counted_document_has_a_wide_margin() -> None:
    total, _ = sampled(["a " * 1000] * 40, 10)
    assert total.margin >= total.tokens
