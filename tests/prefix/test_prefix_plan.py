"""The contents of the prefix are decided from prices, row count and the provider's caching rules."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.core.models import AUTOMATIC_CACHING, MARKED_CACHING, PromptCaching
from llmbatch.core.prices import Price, parse_price
from llmbatch.task.prefix_plan import PrefixTerms, plan_prefix
from llmbatch.task.prefix_policy import PrefixPolicy

AUTO = PrefixPolicy.AUTO
TENTH = parse_price("0.1,0.01,0.5")
HALF = parse_price("0.15,0.075,0.6")


def taken(sizes: list[int], caching: PromptCaching | None, price: Price | None, rows: int | None) -> int:
    return plan_prefix(sizes, AUTO, PrefixTerms(caching, price, rows)).pool_examples


@pytest.mark.parametrize(
    ("sizes", "caching", "price", "rows", "examples"),
    [
        ([900, 960, 1020, 1080], MARKED_CACHING, TENTH, 1000, 3),
        ([900, 960, 1020, 1080], MARKED_CACHING, TENTH, 1, 0),
        ([900, 960, 1020], MARKED_CACHING, TENTH, 1000, 0),
        ([500, 1030], AUTOMATIC_CACHING, HALF, 1000, 0),  # half the price of twice the tokens saves nothing
        ([600, 1030], AUTOMATIC_CACHING, HALF, 1000, 1),
        ([1150, 1190], AUTOMATIC_CACHING, TENTH, 1000, 1),  # past the next step of 128, the tail is cached too
        ([1150, 1190], MARKED_CACHING, TENTH, 1000, 0),
        ([1030, 1100], AUTOMATIC_CACHING, TENTH, 1000, 0),
        ([900, 1080], MARKED_CACHING, TENTH, None, 1),
        ([900, 1080], None, TENTH, 1000, 0),
        ([900, 1080], MARKED_CACHING, None, 1000, 0),
        ([900, 1080], MARKED_CACHING, parse_price("0,0,0"), 1000, 0),
        ([900, 1080], MARKED_CACHING, TENTH, 0, 0),
    ],
)
def test_the_pool_is_used_if_that_is_cheaper(
    sizes: list[int], caching: PromptCaching | None, price: Price | None, rows: int | None, examples: int
) -> None:
    assert taken(sizes, caching, price, rows) == examples


def test_the_break_even_row_is_exact() -> None:
    # Plain 900 x 0.1 = 90 a row. Grown: written once at 1,080 x 0.125 = 135, then read at 1,080 x 0.01 = 10.8.
    price = parse_price("0.1,0.01,0.5,0.125")
    assert taken([900, 1080], MARKED_CACHING, price, 1) == 0
    assert taken([900, 1080], MARKED_CACHING, price, 2) == 1


@given(
    sizes=st.lists(st.integers(1, 200), min_size=1, max_size=12).map(
        lambda steps: [600 + sum(steps[: n + 1]) for n in range(len(steps))]
    ),
    caching=st.sampled_from([AUTOMATIC_CACHING, MARKED_CACHING]),
    price=st.sampled_from([TENTH, HALF]),
    rows=st.integers(0, 100_000),
)
def test_no_other_choice_is_cheaper(sizes: list[int], caching: PromptCaching, price: Price, rows: int) -> None:
    terms = PrefixTerms(caching, price, rows)
    chosen = plan_prefix(sizes, AUTO, terms)
    costs = [terms.cost_nanousd(size) for size in sizes]
    assert costs[chosen.pool_examples] == min(cost for cost in costs if cost is not None)
    assert chosen.cached_tokens == caching.cached_tokens(chosen.tokens) <= chosen.tokens


def test_the_user_can_take_none_or_all_of_the_pool() -> None:
    terms = PrefixTerms(MARKED_CACHING, TENTH, 1000)
    plans = [plan_prefix([900, 1030, 1200], policy, terms) for policy in PrefixPolicy]
    assert [plan.pool_examples for plan in plans] == [1, 0, 2]


def test_a_resumed_run_keeps_its_prefix() -> None:
    plan = plan_prefix([900, 1030, 1200], AUTO, PrefixTerms(MARKED_CACHING, TENTH, 1), standing=2)
    assert (plan.pool_examples, plan.tokens) == (2, 1200)
    assert plan.why.endswith("it has 2 of the 2 pool examples, as when the run began")


@pytest.mark.parametrize(
    ("sizes", "caching", "price", "rows", "why"),
    [
        (
            [1187],
            MARKED_CACHING,
            TENTH,
            10,
            "1,187 tokens, cached from row 2",
        ),
        ([620], AUTOMATIC_CACHING, TENTH, 10, "620 tokens, too short to be cached (minimum 1,024)"),
        ([620], None, TENTH, 10, "620 tokens, not known to be cached by this model's provider"),
        (
            [900, 1030],
            MARKED_CACHING,
            TENTH,
            1000,
            (
                "1,030 tokens, cached from row 2; "
                "it has 1 of the 1 pool examples, which makes it 88% cheaper than without them"
            ),
        ),
        (
            [900, 1030],
            MARKED_CACHING,
            TENTH,
            1,
            (
                "900 tokens, too short to be cached (minimum 1,024); "
                "it has 0 of the 1 pool examples: they would cost more than they save in one row"
            ),
        ),
    ],
)
def test_the_decision_is_explained_in_one_line(
    sizes: list[int], caching: PromptCaching | None, price: Price, rows: int, why: str
) -> None:
    assert plan_prefix(sizes, AUTO, PrefixTerms(caching, price, rows)).why == why
