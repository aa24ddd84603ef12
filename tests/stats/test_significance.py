"""The tests agree with a reference library, and the evidence is valid however often one looks."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from llmbatch.stats.arms import ArmEvidence
from llmbatch.stats.profile import Distribution
from llmbatch.stats.significance import (
    chi_squared_tail,
    distance,
    distributions_differ,
    rates_differ,
    shares_differ,
)

counts = st.tuples(st.integers(0, 400), st.integers(1, 400)).filter(lambda pair: pair[0] <= pair[1])


def distribution(*values: float) -> Distribution:
    return Distribution(len(values), sum(values), {value: values.count(value) for value in values})


@given(counts, counts)
def test_rates_match_scipy(one: tuple[int, int], other: tuple[int, int]) -> None:
    table = [[hits, count - hits] for hits, count in (one, other)]
    assert rates_differ(*one, *other) == pytest.approx(stats.fisher_exact(table).pvalue, rel=1e-6, abs=1e-12)


def test_rates_of_a_few_rows_against_a_hundred_thousand() -> None:
    for hits in (0, 1, 3, 50):
        expected = stats.fisher_exact([[hits, 50 - hits], [1000, 99_000]]).pvalue
        assert rates_differ(hits, 50, 1000, 100_000) == pytest.approx(expected, rel=1e-6)


def test_two_values_are_compared_as_a_rate() -> None:
    one, other = distribution(*[0.9] * 20, *[0.3] * 10), distribution(*[0.9] * 28, *[0.3] * 2)
    assert distributions_differ(one, other) == rates_differ(10, 30, 2, 30)


@pytest.mark.parametrize("degrees", [1, 2, 3, 8, 149])
def test_chi_squared_matches_scipy(degrees: int) -> None:
    for statistic in (0.0, 0.5, degrees, 3 * degrees + 20):
        assert chi_squared_tail(statistic, degrees) == pytest.approx(stats.chi2.sf(statistic, degrees), rel=1e-9)


def test_nothing_to_compare_means_no_difference() -> None:
    assert rates_differ(0, 0, 5, 10) == 1
    assert distributions_differ(Distribution(), distribution(0.5, 0.7)) == 1
    assert distributions_differ(distribution(0.5, 0.5), distribution(0.5)) == 1
    assert shares_differ({}, {"a": 10}) == 1
    assert shares_differ({"a": 10}, {"a": 5}) == 1


def test_the_distance_is_the_share_that_moved() -> None:
    assert distance({"a": 50, "b": 50}, {"a": 60, "b": 40}) == pytest.approx(0.1)
    assert distance({"a": 1}, {"b": 1}) == 1


def test_equal_arms_hardly_ever_differ_even_looking_after_every_block() -> None:
    alarms = 0
    for seed in range(100):
        draw, evidence = Random(seed), ArmEvidence((2, 5))
        for n in range(1500):
            share, rate = (0.1, 0.05) if n < 1000 else (0.5, 0.4)
            evidence.add(is_canary=draw.random() < share, is_bad=draw.random() < rate)
            if evidence.worse >= 1 / 0.1:
                alarms += 1
                break
    assert alarms <= stats.binom.ppf(1 - 1e-4, 100, 0.1)


def test_a_blocks_evidence_is_the_likelihood_ratio_of_its_table() -> None:
    evidence = ArmEvidence((3,))
    for n in range(100):
        evidence.add(is_canary=n < 20, is_bad=n % 10 == 0 or n in (1, 2))
    seen = stats.nchypergeom_fisher(100, 20, 12, 3).pmf(4) / stats.hypergeom(100, 20, 12).pmf(4)
    assert evidence.worse == pytest.approx(seen)
    assert evidence.within(3) == pytest.approx(1 / seen)
    assert (evidence.bad, evidence.canary_bad) == (12, 4)
    assert evidence.expected == pytest.approx(2.4)


def test_unbounded_evidence_does_not_overflow() -> None:
    evidence = ArmEvidence((3,))
    for n in range(50_000):
        evidence.add(is_canary=n % 2 == 0, is_bad=n % 4 == 0)
    assert evidence.worse > 1e300
    assert evidence.within(3) < 1e-300
