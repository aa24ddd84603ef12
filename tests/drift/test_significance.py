"""The tests agree with a reference library, and the bounds hold however often one looks."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportions_ztest
from statsmodels.stats.weightstats import ttest_ind

from llmbatch.drift.profile import Mean
from llmbatch.drift.significance import (
    always_valid_bounds,
    distance,
    means_differ,
    proportions_differ,
    shares_differ,
)

counts = st.tuples(st.integers(0, 400), st.integers(1, 400)).filter(lambda pair: pair[0] <= pair[1])


def mean(values: list[float]) -> Mean:
    return Mean(len(values), sum(values), sum(value * value for value in values))


@given(counts, counts)
def test_proportions_as_statsmodels_has_them(one: tuple[int, int], other: tuple[int, int]) -> None:
    if 0 < one[0] + other[0] < one[1] + other[1]:
        _, expected = proportions_ztest([one[0], other[0]], [one[1], other[1]])
        assert proportions_differ(*one, *other) == pytest.approx(expected, abs=1e-9)


def test_means_as_statsmodels_has_them() -> None:
    draw = Random(1)
    one, other = ([draw.gauss(centre, 0.1) for _ in range(400)] for centre in (0.7, 0.71))
    _, expected, _ = ttest_ind(one, other, usevar="unequal")
    assert means_differ(mean(one), mean(other)) == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("other", [[500, 300, 200], [520, 290, 190], [450, 340, 210], [300, 400, 300]])
def test_shares_as_scipy_has_them(other: list[int]) -> None:
    one = [1000, 600, 400]
    expected = stats.chi2_contingency([one, other], correction=False).pvalue
    names = ("a", "b", "c")
    found = shares_differ(dict(zip(names, one, strict=True)), dict(zip(names, other, strict=True)))
    assert found == pytest.approx(expected, rel=0.06, abs=1e-6)


def test_nothing_to_compare_is_no_difference() -> None:
    assert proportions_differ(0, 0, 5, 10) == 1
    assert means_differ(Mean(), Mean(10, 5.0, 2.5)) == 1
    assert shares_differ({}, {"a": 10}) == 1
    assert shares_differ({"a": 10}, {"a": 5}) == 1


def test_the_distance_is_the_share_that_moved() -> None:
    assert distance({"a": 50, "b": 50}, {"a": 60, "b": 40}) == pytest.approx(0.1)
    assert distance({"a": 1}, {"b": 1}) == 1


@given(counts)
def test_the_bounds_hold_what_was_seen(seen: tuple[int, int]) -> None:
    lower, upper = always_valid_bounds(*seen, alpha=0.05)
    assert 0 <= lower <= seen[0] / seen[1] <= upper <= 1


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.5])
def test_looking_after_every_row_the_true_rate_is_hardly_ever_ruled_out(rate: float) -> None:
    misses = 0
    for seed in range(100):
        draw, hits = Random(seed), 0
        for count in range(1, 61):
            hits += draw.random() < rate
            lower, upper = always_valid_bounds(hits, count, alpha=0.1)
            if not lower <= rate <= upper:
                misses += 1
                break
    assert misses <= 0.1 * 100


def test_of_no_rows_nothing_is_ruled_out() -> None:
    assert always_valid_bounds(0, 0, alpha=0.05) == (0, 1)
