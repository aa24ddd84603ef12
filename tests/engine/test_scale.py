"""Many workers under one limit and one budget, in simulated time."""

import pytest

from tests.engine.many_workers import Scenario, simulated


def test_workers_use_all_of_a_limit_and_few_requests_are_refused() -> None:
    results = simulated(Scenario("8 workers", workers=8, per_minute=6_000, seconds=10))
    assert 0.97 < results.used <= 1.01
    assert results.refused <= 0.01
    assert results.rate_calls_per_s < 8 * 10, "a lease is for many requests"


def test_the_share_of_killed_workers_is_used_by_the_others() -> None:
    results = simulated(Scenario("8 workers, half of them killed", workers=8, per_minute=3_000, killed=4, seconds=15))
    assert 0.97 < results.rate_while_killed <= 1.01
    assert results.refused <= 0.01


@pytest.mark.parametrize("book_s", [0.002, 0.05])
def test_workers_spend_a_budget_and_no_more(book_s: float) -> None:
    results = simulated(Scenario("8 workers", workers=8, per_minute=6_000, budget_usd=0.8, book_s=book_s, seconds=200))
    assert 0 < results.rest_s < 60, "the budget was reached, and no worker waited for budget that no one held"
    assert results.billed_usd <= 0.8
    assert results.unused_usd < 0.008
    assert results.book_busy < 0.9
