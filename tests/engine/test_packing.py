"""Packed rows: whatever happens to a request, each row has one outcome, and usage is split exactly."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.core.usage import UsageTotals
from llmbatch.engine.packing.pack import place_in_pack
from llmbatch.engine.packing.plans import Packing, packed_plan
from llmbatch.engine.packing.shares import shared_usage, shares
from llmbatch.observe.events import PacksMadeSmaller
from tests.engine.simulated import PLAN, documents, run_simulated

ROWS, PACKED = 60, Packing(8)
MOST_SENDS = 2 * 3 + 4 + 4
"""Twice for each halving, then as often as a row that is alone, and re-asked four times."""


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str | None]:
    """The labels of rows that are sent one by one."""
    return {line.key: line.category for line in run_simulated(tmp_path_factory.mktemp("run"), documents(ROWS)).lines}


@pytest.mark.parametrize(
    "fault",
    [
        "pack_missing=30%",
        "pack_doubled=30%",
        "pack_foreign=30%",
        "pack_renumbered=30%",
        "pack_shuffled=100%",
        "invented=20%",
        "broken_json=30%",
        "duplicate_key=30%",
        "truncated=30%",
        "empty=20%",
        "two_answers=30%",
        "wrapped=30%",
        "thinking=30%",
        "refusal=20%",
        "filtered=20%",
        "content_risk=20%",
        "context_size=20%",
        "server_error=20%",
        "reset=10%",
        "timeout=5%",
        "rate_limit=20%",
        "broken_off=20%",
    ],
)
def test_each_row_gets_one_outcome_and_never_another_rows(
    tmp_path: Path, alone: dict[str, str | None], fault: str
) -> None:
    run = run_simulated(tmp_path, documents(ROWS), fault, packing=PACKED, reasks=4)
    assert run.reason is None
    assert sorted(line.row for line in run.lines) == list(range(ROWS))
    assert {line.key: line.category for line in run.lines if line.status == "ok"}.items() <= alone.items()
    if not any(line.possibly_billed_attempts for line in run.lines):
        assert sum(line.input_tokens for line in run.lines) == run.prompt_tokens
        assert sum(line.output_tokens for line in run.lines) == run.completion_tokens
    assert sum(line.totals.requests for line in run.lines) == sum(run.by_second.values())
    assert max(line.attempts for line in run.lines) <= MOST_SENDS


def test_a_model_that_fails_on_packs_gets_smaller_packs_and_finally_single_rows(tmp_path: Path) -> None:
    run = run_simulated(tmp_path, documents(400), "two_answers@2-40", packing=PACKED, latency_s=0.3)
    assert (run.reason, run.outcomes, len(run.lines)) == (None, {"ok"}, 400)
    sizes = [event.rows for event in run.events if isinstance(event, PacksMadeSmaller)]
    assert sizes[:1] == [4]


def test_if_packs_are_refused_but_single_rows_are_not_rows_are_sent_alone_at_once(tmp_path: Path) -> None:
    run = run_simulated(tmp_path, documents(400), packing=PACKED, latency_s=0.3, refuse=frozenset({"$ref"}))
    assert (run.reason, run.outcomes, len(run.lines)) == (None, {"ok"}, 400)
    assert {line.rows_in_request for line in run.lines} == {1}
    (smaller,) = [event for event in run.events if isinstance(event, PacksMadeSmaller)]
    assert (smaller.rows, "reference" in smaller.why) == (1, True)
    assert run.statuses[400] <= 400 / 8, "none is refused twice"


def test_the_cost_of_a_pack_is_split_among_its_rows_by_length(tmp_path: Path) -> None:
    texts = [f"Case {n}: {'The server crashed. ' * (40 if n == 5 else 1)}" for n in range(9)]
    lines = {line.row: line for line in run_simulated(tmp_path, texts, packing=PACKED).lines}
    assert {line.rows_in_request for line in lines.values()} == {1, 8}
    assert lines[5].input_tokens > lines[4].input_tokens > 0


@given(st.integers(0, 10**12), st.lists(st.integers(1, 10**6), min_size=1, max_size=100))
def test_shares_add_up_and_are_proportional(total: int, weights: list[int]) -> None:
    parts = shares(total, weights)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - total * weight / sum(weights)) <= max(1, total * 1e-9)


@given(
    st.tuples(*[st.integers(0, 10**7)] * 6),
    st.lists(st.integers(1, 10**5), min_size=2, max_size=50),
)
def test_shared_usage_adds_up_and_stays_consistent(counts: tuple[int, ...], weights: list[int]) -> None:
    plain, cached, written, visible, thought, money = counts
    usage = UsageTotals(
        input_tokens=plain + cached + written,
        cached_input_tokens=cached,
        cache_write_tokens=written,
        output_tokens=visible + thought,
        reasoning_tokens=thought,
        priced_nanousd=money,
        possibly_billed_nanousd=money // 2,
    )
    parts = shared_usage(usage, weights)
    total = UsageTotals()
    for part in parts:
        total += part
        assert part.cached_input_tokens + part.cache_write_tokens <= part.input_tokens
        assert part.reasoning_tokens <= part.output_tokens
    assert total == usage


@given(st.lists(st.text("0123456789abcdef", min_size=32, max_size=32), unique=True, min_size=20, max_size=40))
def test_the_order_in_packs_is_reproducible_and_differs_when_rows_are_sent_again(keys: list[str]) -> None:
    def order(seed: int, turn: int, given: list[str]) -> list[str]:
        return sorted(given, key=lambda key: place_in_pack(key, seed=seed, turn=turn))

    assert order(0, 0, keys) == order(0, 0, keys[::-1])
    assert order(0, 0, keys) != order(0, 1, keys) != order(1, 1, keys)


def test_rows_of_a_packed_plan_have_the_plans_keys_and_packs_share_a_prefix() -> None:
    of_two, of_nine = packed_plan(PLAN, 2), packed_plan(PLAN, 9)
    assert of_two.key("a text") == PLAN.key("a text")
    assert of_two.question.prefix == of_nine.question.prefix
    assert "one document at a time" in PLAN.question.prefix
    assert "one document at a time" not in of_two.question.prefix
    assert of_nine.shape.max_output_tokens > of_two.shape.max_output_tokens > PLAN.shape.max_output_tokens
