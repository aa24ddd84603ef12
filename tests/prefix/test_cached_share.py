"""A cached share that is far from the plan is reported with its likely cause."""

import re

import pytest

from llmbatch.core.usage import UsageTotals
from llmbatch.task.cached_share import far_from_plan
from llmbatch.task.prefix_plan import PrefixPlan


def prefix(cached_tokens: int = 1200) -> PrefixPlan:
    return PrefixPlan(pool_examples=0, tokens=1200, cached_tokens=cached_tokens, why="")


@pytest.mark.parametrize(
    ("cached", "written", "answers", "expected"),
    [
        (99 * 1200, 1200, 100, None),
        (80 * 1200, 0, 100, None),
        (0, 0, 19, None),
        (0, 0, 100, "0% instead of nearly all: this endpoint does not cache prompts"),
        (0, 100 * 1200, 100, "was written 100 times and never read"),
        (40 * 1200, 60 * 1200, 101, "40% instead of nearly all: the prefix was written 60 times instead of once"),
        (40 * 1200, 0, 101, "before the first was answered"),
    ],
)
def test_a_share_far_from_the_plan_is_reported(cached: int, written: int, answers: int, expected: str | None) -> None:
    usage = UsageTotals(
        billed_rows=answers, input_tokens=answers * 1300, cached_input_tokens=cached, cache_write_tokens=written
    )
    remark = far_from_plan(prefix(), usage)
    if expected is None:
        assert remark is None
    else:
        assert re.search(expected, remark or "")


def test_a_prefix_that_was_not_meant_to_be_cached_is_not_reported() -> None:
    assert far_from_plan(prefix(0), UsageTotals(billed_rows=100, input_tokens=100_000)) is None
