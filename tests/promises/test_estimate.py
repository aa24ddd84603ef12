"""The estimate's interval covers the cost of 95% of runs, and is not much wider than needed."""

import numpy as np
import pytest

from llmbatch.core.prices import Price, Rates
from llmbatch.core.usage import Usage
from llmbatch.estimate.cost import FRAME_TOKENS, Job, Known, Range, cost_of
from llmbatch.estimate.input_scan import share_known
from llmbatch.estimate.sample import TokenSample, TokenTotal
from tests.promises.simulation import most, runs

PRICE = Price(((-1, Rates(1_000_000_000, 100_000_000, 1_250_000_000, 4_000_000_000)),))
REQUESTS = 300


def job(documents: TokenTotal) -> Job:
    return Job(
        REQUESTS, 1500 - FRAME_TOKENS, documents, cached_tokens=1_400, written_tokens=0, output_tokens=Range(8, 10, 16)
    )


def actual(draw: np.random.Generator, documents: list[int], *, misses: float, repeats: float) -> int:
    """The cost of a run whose requests miss the cache and are repeated at random."""
    total = 0
    for n, tokens in enumerate(documents):
        for _ in range(1 + int(draw.random() < repeats)):
            cached = 0 if n == 0 or draw.random() < misses else 1_400
            usage = Usage(
                input_tokens=1500 + tokens, cached_input_tokens=cached, output_tokens=int(draw.integers(8, 13))
            )
            total += PRICE.cost_nanousd(usage)
    return total


def total_of(draw: np.random.Generator, documents: list[int]) -> TokenTotal:
    """The documents' tokens, estimated from a sample of a fifth of their bytes."""
    sample = TokenSample(sum(documents), lambda text: len(text.split()))
    for tokens in documents:
        sample.add(int(draw.integers(1 << 62)), " ".join(["word"] * tokens))
    return sample.total()


def test_before_the_first_answer() -> None:
    """Cache misses and repeated answers are rare: up to 3% of each."""
    seeds, outside, widths = runs(15, 500), 0, []
    for draw in map(np.random.default_rng, seeds):
        documents = draw.integers(20, 200, REQUESTS).tolist()
        cost = cost_of(job(total_of(draw, documents)), PRICE)
        paid = actual(draw, documents, misses=0.03 * draw.random(), repeats=0.03 * draw.random())
        outside += not cost.low <= paid <= cost.high
        widths.append(cost.high / paid)
    assert outside <= most(0.05, len(seeds))
    assert max(widths) < 1.5


@pytest.mark.parametrize(("misses", "repeats"), [(0.0, 0.0), (0.1, 0.02), (0.4, 0.2)])
def test_after_thirty_answers_and_more(misses: float, repeats: float) -> None:
    seeds, outside = runs(15, 500), 0
    for draw in map(np.random.default_rng, seeds):
        documents = draw.integers(20, 200, REQUESTS).tolist()
        exact = TokenTotal(float(sum(documents)), 0.0, REQUESTS, REQUESTS)
        missed, repeated = draw.binomial(200, misses) / 200, draw.binomial(200, repeats) / 200
        cost = cost_of(
            job(exact), PRICE, Known(share_known(missed, 200, REQUESTS), share_known(repeated, 200, REQUESTS))
        )
        outside += not cost.low <= actual(draw, documents, misses=misses, repeats=repeats) <= cost.high
    assert outside <= most(0.05, len(seeds))
