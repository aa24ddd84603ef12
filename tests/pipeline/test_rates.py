"""Requests leave no faster than the limits allow, whatever their size and whenever they come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.caller.limits import RateLimits
from llmbatch.pipeline.rates import Rates, TokenEstimate

arrivals = st.lists(st.tuples(st.floats(0, 0.5), st.floats(1, 500)), min_size=1, max_size=200)


def departures(rates: Rates, coming: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """(time, tokens) at which each request may leave; each comes some time after the one before."""
    now, left = 100.0, []
    for gap_s, tokens in coming:
        now += gap_s
        left.append((now + rates.reserve(now, tokens), tokens))
    return left


@given(arrivals, st.floats(1, 200), st.floats(100, 10_000))
def test_no_window_holds_more_than_the_limits_and_a_little_catching_up(
    coming: list[tuple[float, float]], requests_per_s: float, tokens_per_s: float
) -> None:
    left = departures(Rates(RateLimits(requests_per_s, tokens_per_s)), coming)
    assert [at for at, _ in left] == sorted(at for at, _ in left), "in the order of coming"
    for first in range(0, len(left), 7):
        for last in range(first, len(left), 7):
            span_s = left[last][0] - left[first][0] + 0.1
            assert last - first <= requests_per_s * span_s + 1e-6
            assert sum(tokens for _, tokens in left[first:last]) <= tokens_per_s * span_s + 1e-6


def test_a_steady_stream_uses_all_but_a_hundredth_of_the_limit() -> None:
    left = departures(Rates(RateLimits(requests_per_s=100)), [(0.0, 1.0)] * 1000)
    assert (left[-1][0] - left[0][0]) == pytest.approx(1000 / 99, rel=0.02)


def test_without_a_limit_nothing_waits() -> None:
    assert [at for at, _ in departures(Rates(), [(0.0, 1e9)] * 5)] == [100.0] * 5


def test_the_users_limit_wins_over_the_endpoints() -> None:
    rates = Rates(RateLimits(requests_per_s=1))
    rates.learn(RateLimits(requests_per_s=1000, tokens_per_s=50))
    left = departures(rates, [(0.0, 1.0)] * 3)
    assert left[2][0] - left[1][0] == pytest.approx(1 / 0.99)


def test_the_estimate_learns_what_a_character_comes_to() -> None:
    estimate = TokenEstimate(prefix_tokens=1000)
    for _ in range(300):
        estimate.learn(characters=400, input_tokens=1200)
    assert estimate.of(400, 30) == pytest.approx(1230, abs=1)
