"""Pack token counts of an estimate are cached, since every run makes an estimate before it starts."""

from llmbatch.engine.plan import ModelChoice, make_plan
from llmbatch.estimate.packs import USUAL_ROWS, with_packs
from llmbatch.task.load import load_task
from llmbatch.tokens import o200k
from tests.estimate.test_cost import JOB


def test_a_second_estimate_does_not_load_the_token_table() -> None:
    plan = make_plan(load_task(None), ModelChoice(), offline=False)
    first = with_packs(JOB, plan, USUAL_ROWS)
    o200k._encoding.cache_clear()
    assert with_packs(JOB, plan, USUAL_ROWS) == first
    assert o200k._encoding.cache_info().currsize == 0
