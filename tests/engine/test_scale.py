"""Many workers under one limit and one budget, in simulated time."""

import pytest

from tests.engine.many_workers import Scenario, simulated


def test_workers_use_all_of_a_limit_and_few_requests_are_refused() -> None:
    came = simulated(Scenario("8 workers", workers=8, per_minute=6_000, seconds=10))
    assert 0.97 < came.used <= 1.01
    assert came.refused <= 0.01
    assert came.rate_calls_per_s < 8 * 10, "a lease is for many requests"


def test_the_share_of_killed_workers_is_used_by_the_others() -> None:
    came = simulated(Scenario("8 workers, half of them killed", workers=8, per_minute=3_000, killed=4, seconds=15))
    assert 0.97 < came.rate_while_killed <= 1.01
    assert came.refused <= 0.01


@pytest.mark.parametrize("book_s", [0.002, 0.05])
def test_workers_spend_a_budget_and_no_more(book_s: float) -> None:
    came = simulated(Scenario("8 workers", workers=8, per_minute=6_000, budget_usd=0.8, book_s=book_s, seconds=200))
    assert 0 < came.rest_s < 60, "it was reached, and nobody waited for what nobody had"
    assert came.billed_usd <= 0.8
    assert came.unused_usd < 0.008
    assert came.book_busy < 0.9
