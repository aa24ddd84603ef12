"""What rows cost, worked out by hand at gpt-6-luna's published prices.

In nano-dollars a token: input 100, cached input 10, cache write 125, output 500; past 272,000 input tokens 200, 20,
250 and 750. The flex tier takes half.
"""

from dataclasses import replace
from typing import Any

import pytest

from llmbatch.core.ledger_line import LedgerLine
from llmbatch.core.prices import PriceBook, parse_price
from llmbatch.core.usage import Usage
from llmbatch.engine.budget.bill import Bill, Biller
from llmbatch.engine.budget.surplus import Surplus
from llmbatch.engine.plan import ModelChoice, make_plan
from llmbatch.engine.tally import LedgerTotals
from llmbatch.provider.completion import Completion
from llmbatch.task.load import load_task

MODEL = "gpt-6-luna"
RESERVED = 1_000_000


def answer(usage: Usage | None, tier: str | None = "default", model: str = MODEL) -> Completion:
    return Completion(
        '{"category": "x"}',
        None,
        "stop",
        has_tool_calls=False,
        model=model,
        usage=usage,
        service_tier=tier,
        system_fingerprint=None,
        usage_flag="usage_missing" if usage is None else None,
    )


def line(**changes: Any) -> LedgerLine:
    fields = {"row": 0, "id": 0, "key": "0" * 32, "status": "ok", "prompt": "p", "model": MODEL, "started_at": ""}
    return LedgerLine(**{**fields, **changes})


def billed(*answers: Completion, model: str = MODEL, price: str | None = None) -> Bill:
    """The bill of a row that received these answers."""
    plan = make_plan(load_task(None), ModelChoice(model), offline=True)
    prices = PriceBook(None, None if price is None else parse_price(price))
    biller, bill = Biller(plan, prices, Surplus()), Bill()
    for completion in answers:
        biller.charge(bill, completion, RESERVED)
    return bill


@pytest.mark.parametrize(
    ("what", "answers", "nanousd"),
    [
        ("plain", [answer(Usage(1_300, output_tokens=9))], 134_500),  # 1,300 x 100 + 9 x 500
        ("cached", [answer(Usage(1_300, 1_200, 0, 9))], 26_500),  # 100 x 100 + 1,200 x 10 + 4,500
        ("cache-write", [answer(Usage(1_300, 0, 1_200, 9))], 164_500),  # 100 x 100 + 1,200 x 125 + 4,500
        ("read and written", [answer(Usage(1_300, 1_000, 200, 9))], 49_500),  # 10,000 + 10,000 + 25,000 + 4,500
        ("at the tier's edge", [answer(Usage(272_000, output_tokens=10))], 27_205_000),
        ("tiered", [answer(Usage(272_001, 1_000, 0, 10))], 54_227_700),  # 271,001 x 200 + 1,000 x 20 + 10 x 750
        ("reasoning", [answer(Usage(1_300, 1_200, 0, 209, 200))], 126_500),  # thinking is output: 209 x 500
        ("flex", [answer(Usage(1_300, 1_200, 0, 9), "flex")], 13_250),
        ("retried", [answer(Usage(1_300, 1_200, 0, 36)), answer(Usage(1_300, 1_200, 0, 9))], 66_500),
        ("tiers mixed", [answer(Usage(1_300, 1_200, 0, 9), "flex"), answer(Usage(1_300, 1_200, 0, 9))], 39_750),
        ("answered by a dated name", [answer(Usage(1_300, output_tokens=9), model="gpt-6-luna-x")], 134_500),
    ],
)
def test_a_rows_cost_is_the_sum_of_its_answers_costs(what: str, answers: list[Completion], nanousd: int) -> None:
    assert billed(*answers).usage.cost_nanousd == nanousd, what


@pytest.mark.parametrize(
    ("asked", "served", "nanousd"),
    [
        ("flex", "flex", 67_250),  # half of 1,300 x 100 + 9 x 500
        ("flex", "default", 134_500),
        ("flex", None, 134_500),  # not stated: the more expensive one counts
        ("flex", "nobodys-tier", 134_500),
        ("priority", "priority", 269_000),
        ("priority", "default", 134_500),
        ("priority", None, 269_000),
        ("fast", "priority", 269_000),
        ("fast", None, 269_000),
        (None, None, 134_500),
        (None, "flex", 67_250),
    ],
)
def test_an_answer_is_priced_at_the_tier_that_served_it(asked: str | None, served: str | None, nanousd: int) -> None:
    plan = make_plan(load_task(None), ModelChoice(MODEL), offline=True)
    biller, bill = Biller(plan, PriceBook(None), Surplus()), Bill()
    biller.charge(bill, answer(Usage(1_300, output_tokens=9), served), RESERVED, asked_tier=asked)
    assert bill.usage.cost_nanousd == nanousd
    shape = replace(plan.shape, service_tier=asked)
    assert biller.most_nanousd(b"x" * 5_000, shape) >= biller.most_nanousd(b"x" * 5_000, plan.shape), (
        "the reservation covers either"
    )


def test_the_users_price_applies_to_every_model_it_names() -> None:
    bill = billed(answer(Usage(1_300, 1_000, 200, 9)), price="1,0.1,2,1.25")
    assert bill.usage.cost_nanousd == 100 * 1_000 + 1_000 * 100 + 200 * 1_250 + 9 * 2_000


def test_an_answer_without_usage_may_have_cost_what_was_reserved() -> None:
    bill = billed(answer(None), answer(Usage(1_300, output_tokens=9)))
    assert (bill.usage.cost_nanousd, bill.usage.possibly_billed_nanousd, bill.flags) == (
        134_500,
        RESERVED,
        ("usage_missing",),
    )


def test_one_answer_without_a_price_makes_the_rows_cost_unknown() -> None:
    bill = billed(answer(Usage(1_300, output_tokens=9)), model="nobodys-model")
    assert bill.usage.cost_nanousd == 134_500, "the answer names a model whose price is known"
    assert billed(answer(Usage(10), model="other"), model="nobodys-model").usage.cost_nanousd is None


def test_totals_are_exact_over_answered_failed_and_reused_rows() -> None:
    totals = LedgerTotals()
    paid = {"input_tokens": 1_300, "cached_input_tokens": 1_200, "output_tokens": 9, "cost_usd": 0.0000265}
    totals.add(line(**paid))
    totals.add(line(**paid, status="failed", possibly_billed_usd=7e-9, possibly_billed_attempts=1))
    totals.add(line(source="reused"))
    spent = totals.usage
    assert (spent.cost_nanousd, spent.possibly_billed_nanousd) == (53_000, 7)
    assert (spent.input_tokens, spent.cached_input_tokens, spent.output_tokens) == (2_600, 2_400, 18)
