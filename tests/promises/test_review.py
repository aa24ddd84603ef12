"""The sample's error rate: its interval covers the rate of all rows, whatever else was decided."""

import numpy as np
import pytest

from llmbatch.review.error_rate import ENOUGH, ErrorRate, SampledRow, rate_in_order, stratified_rate
from tests.promises.simulation import most, runs

ANSWERED = (900, 100)
WRONG = {True: 0.08, False: 0.5}
"""For rows that passed, and for those in review."""
TRUE = (900 * 0.08 + 100 * 0.5) / 1000


def sample(draw: np.random.Generator, rows: int) -> list[SampledRow]:
    """A random sample of a run, fully decided."""
    passed = draw.random(rows) < 0.9
    points = draw.integers(0, 1 << 40, rows).tolist()
    return [
        SampledRow((points[n], n), str(n), bool(passed[n]), bool(draw.random() < WRONG[bool(passed[n])]))
        for n in range(rows)
    ]


def undecided(row: SampledRow) -> SampledRow:
    return SampledRow(row.place, row.text, row.passed, None)


def holds(rate: ErrorRate) -> bool:
    low, high = rate.interval
    assert rate.share is None or low <= rate.share <= high
    return low <= TRUE <= high


@pytest.mark.parametrize("how", ["all", "half", "queue first", "wrong ones picked"])
@pytest.mark.parametrize("rows", [30, 120])
def test_the_interval_covers_the_rate_of_all_rows_in_95_percent_of_cases(rows: int, how: str) -> None:
    seeds, missed = runs(100, 4000), 0
    for draw in map(np.random.default_rng, seeds):
        decided = sample(draw, rows)
        places = sorted(row.place for row in decided)
        walked = set(places if how == "all" else places[: rows // 2])
        picked = {
            row.place
            for row in decided
            if (how == "queue first" and not row.passed) or (how == "wrong ones picked" and row.wrong)
        }
        seen = [row if row.place in walked | picked else undecided(row) for row in decided]
        missed += not holds(stratified_rate(seen, ANSWERED))
    assert missed <= most(0.06, len(seeds))


def test_hand_picked_rows_give_no_error_rate() -> None:
    decided = sample(np.random.default_rng(3), 100)
    wrong = [row for row in sorted(decided, key=lambda row: row.place) if row.wrong][-13:]
    rate = stratified_rate([row if row in wrong else undecided(row) for row in decided], ANSWERED)
    assert (rate.share, rate.checked) == (None, 0)


def test_no_rate_before_enough_is_decided_unless_a_small_sample_is_complete() -> None:
    decided = sorted(sample(np.random.default_rng(4), 100), key=lambda row: row.place)
    early = [row if n < ENOUGH - 1 else undecided(row) for n, row in enumerate(decided)]
    assert stratified_rate(early, ANSWERED).share is None
    assert stratified_rate(decided[:4], ANSWERED).share is not None


def test_without_errors_the_low_end_is_zero() -> None:
    rows = [SampledRow((n, n), str(n), passed=True, wrong=False) for n in range(100)]
    assert rate_in_order(rows).interval[0] == 0
    assert rate_in_order([SampledRow((n, n), "same", passed=True, wrong=False) for n in range(100)]).interval[1] > 0.7
