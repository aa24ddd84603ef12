"""Requests are sent no faster than the limits allow, whatever their size and whenever they arrive."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.engine.throttle.rates import Rates, TokenEstimate
from llmbatch.provider.limits import RateLimits, StatedLimit

random_arrivals = st.lists(st.tuples(st.floats(0, 0.5), st.floats(1, 500)), min_size=1, max_size=200)


def departures(rates: Rates, arrivals: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """(time, tokens) at which each request is sent; each arrives some time after the one before and waits its turn."""
    arrived_at, now, left = 100.0, 100.0, []
    for gap_s, tokens in arrivals:
        arrived_at += gap_s
        now = max(now, arrived_at)
        now += rates.wait_s(now, tokens)
        rates.take(now, tokens)
        left.append((now, tokens))
    return left


@given(random_arrivals, st.floats(1, 200), st.floats(100, 10_000))
def test_no_window_exceeds_the_limits_by_more_than_the_allowed_burst(
    arrivals: list[tuple[float, float]], requests_per_s: float, tokens_per_s: float
) -> None:
    left = departures(Rates(RateLimits(requests_per_s, tokens_per_s)), arrivals)
    assert [at for at, _ in left] == sorted(at for at, _ in left), "in order of arrival"
    for first in range(0, len(left), 7):
        for last in range(first, len(left), 7):
            span_s = left[last][0] - left[first][0] + 0.7  # a full bucket at the start, so it may catch up
            assert last - first <= requests_per_s * span_s + 1e-6
            assert sum(tokens for _, tokens in left[first:last]) <= tokens_per_s * span_s + 1e-6


def test_a_steady_stream_uses_99_percent_of_the_limit_and_the_first_burst() -> None:
    left = departures(Rates(RateLimits(requests_per_s=100)), [(0.0, 1.0)] * 1000)
    assert (left[-1][0] - left[0][0]) == pytest.approx(1000 / 99 - 0.7, rel=0.01)


def test_without_a_limit_nothing_waits() -> None:
    assert [at for at, _ in departures(Rates(), [(0.0, 1e9)] * 5)] == [100.0] * 5


def test_a_limit_that_becomes_known_counts_earlier_requests() -> None:
    rates = Rates()
    rates.take(100.0, 1.0)
    rates.learn([StatedLimit("stated", "requests", 60, window_s=60)], 100.0)
    assert rates.wait_s(100.3, 1) == pytest.approx(1.02 / 0.99 - 0.3)


def test_overuse_is_waited_for_and_unused_tokens_are_returned() -> None:
    rates = Rates(RateLimits(tokens_per_s=1000))
    rates.take(100.0, 1980)
    before = rates.wait_s(100.0, 1)
    rates.correct(+99)
    assert rates.wait_s(100.0, 1) - before == pytest.approx(0.102)
    rates.correct(-594)
    assert rates.wait_s(100.0, 1) - before == pytest.approx(-0.51)


def test_the_users_limit_overrides_the_endpoints() -> None:
    rates = Rates(RateLimits(requests_per_s=1))
    rates.learn(
        [StatedLimit("a", "requests", 60_000, window_s=60), StatedLimit("b", "tokens", 3_000, window_s=60)], 0.0
    )
    left = departures(rates, [(0.0, 1.0)] * 3)
    assert left[2][0] - left[1][0] == pytest.approx(1.02 / 0.99)


@given(st.lists(st.integers(0, 20_000), min_size=60, max_size=200))
def test_the_estimate_learns_tokens_per_character(lengths: list[int]) -> None:
    estimate = TokenEstimate(prefix_tokens=1000)
    for characters in lengths * 3:
        estimate.learn(characters, input_tokens=1012 + characters // 4)
    for characters in lengths:
        assert 0.98 * (characters / 4) <= estimate.of(characters, 0) - 1000 <= 1.3 * (characters / 4) + 40
