"""Costs worked out by hand, and bounds around the expected cost."""

from dataclasses import replace

import pytest

from llmbatch.core.prices import Price, Rates
from llmbatch.estimate.cost import FRAME_TOKENS, Job, Known, Range, cost_of
from llmbatch.estimate.sample import TokenTotal

# USD per million tokens: 1 plain, 0.1 cached, 1.25 written, 4 output. So one plain token is 1,000 nano-dollars.
PRICE = Price(((-1, Rates(1_000_000_000, 100_000_000, 1_250_000_000, 4_000_000_000)),))
JOB = Job(
    requests=100,
    prefix_tokens=1500 - FRAME_TOKENS,
    documents=TokenTotal(5_000.0, 0.0, 100, 100),
    cached_tokens=1_400,
    written_tokens=0,
    output_tokens=Range(8, 10, 16),
)


def test_all_but_the_first_request_pay_the_cached_price() -> None:
    first, others = 1500 * 1000 + 50 * 1000 + 10 * 4000, 1400 * 100 + 100 * 1000 + 50 * 1000 + 10 * 4000
    assert cost_of(JOB, PRICE).expected == first + 99 * others


def test_all_first_requests_with_a_prefix_pay_the_full_price() -> None:
    few, none = replace(JOB, first_uses=5.5), replace(JOB, first_uses=1_000.0)
    assert cost_of(few, PRICE).expected - cost_of(JOB, PRICE).expected == 4.5 * 1400 * 900
    assert cost_of(none, PRICE).expected == cost_of(JOB, PRICE).without_cache
    assert few.cached_share == pytest.approx(94.5 / 99 * JOB.cached_share)
    assert none.cached_share == 0


def test_the_first_request_pays_for_the_cache_write() -> None:
    marked = replace(JOB, written_tokens=1_400)
    assert cost_of(marked, PRICE).expected - cost_of(JOB, PRICE).expected == 1400 * 250


def test_without_a_cache_all_input_pays_the_plain_price() -> None:
    assert cost_of(JOB, PRICE).without_cache == 100 * (1550 * 1000 + 10 * 4000)


def test_fractions_of_a_token_count_on_average() -> None:
    fractional = replace(JOB, documents=TokenTotal(5_050.0, 0.0, 100, 100))
    assert cost_of(fractional, PRICE).expected - cost_of(JOB, PRICE).expected == 50 * 1000


def test_known_repeats_raise_the_expected_cost() -> None:
    once, twice = cost_of(JOB, PRICE), cost_of(JOB, PRICE, Known(repeats=Range(0.02, 0.05, 0.1)))
    assert twice.expected == pytest.approx(once.expected * 1.05, rel=0.05)
    assert once.expected < twice.low < twice.expected


def test_known_cache_misses_raise_the_expected_cost() -> None:
    found, missed = cost_of(JOB, PRICE), cost_of(JOB, PRICE, Known(misses=Range(0.2, 0.25, 0.3)))
    assert missed.expected - found.expected == pytest.approx(0.25 * 99 * 1400 * 900, abs=1)


def test_the_bounds_enclose_the_expected_cost_and_the_movers_explain_them() -> None:
    cost = cost_of(JOB, PRICE)
    assert cost.low < cost.expected < cost.high
    assert [name for name, _ in cost.movers] == [
        "5% of the requests miss the cache",
        "answers of 16 tokens",
        "5% of the requests are repeated",
    ]
    largest, *rest = (nanousd for _, nanousd in cost.movers)
    assert largest < cost.high - cost.expected < largest + sum(rest)


def test_the_high_end_stays_near_the_expected_cost_of_a_cached_prefix() -> None:
    cost = cost_of(replace(JOB, requests=10_000, documents=TokenTotal(500_000.0, 0.0, 10_000, 10_000)), PRICE)
    assert cost.high < 1.5 * cost.expected


def test_a_samples_margin_widens_the_bounds() -> None:
    sampled = replace(JOB, documents=TokenTotal(5_000.0, 500.0, 100, 10))
    assert cost_of(sampled, PRICE).expected == cost_of(JOB, PRICE).expected
    assert cost_of(sampled, PRICE).high - cost_of(sampled, PRICE).expected > 500 * 1000
    assert cost_of(sampled, PRICE).high > cost_of(JOB, PRICE).high
    assert ("the sampling margin", 500 * 1000) in cost_of(sampled, PRICE).movers


def test_long_prompts_pay_the_price_of_their_tier() -> None:
    dearer = Rates(2 * 10**9, 2 * 10**8, 2 * 10**9, 8 * 10**9)
    tiered = Price((*PRICE.tiers, (1_540, dearer)))
    assert cost_of(JOB, tiered).expected == 2 * cost_of(JOB, PRICE).expected


def test_no_requests_cost_nothing() -> None:
    nothing = replace(JOB, requests=0, documents=TokenTotal(0, 0.0, 0, 0))
    cost = cost_of(nothing, PRICE)
    assert (cost.expected, cost.low, cost.high, cost.without_cache, nothing.cached_share) == (0, 0, 0, 0, 0.0)


def test_the_cached_share_is_of_all_input() -> None:
    assert JOB.cached_share == pytest.approx(99 * 1400 / 155_000)
