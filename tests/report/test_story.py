"""Figures of any number of rows in bounded memory, with none lost."""

import math
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from llmbatch.core.latency import Latencies
from llmbatch.core.ledger_line import LedgerLine, RowError
from llmbatch.core.rows import Place, Rejection, Row
from llmbatch.report.attention import MOST_IN_REVIEW, MOST_OF_A_KIND, Attention
from llmbatch.report.buckets import Buckets
from llmbatch.report.panels import course
from llmbatch.report.story import Story
from llmbatch.runs.outputs.outcome import FAILED_VIEW, RESULTS, REVIEW, Outcome


@dataclass
class Count:
    count: int = 0

    def merge(self, other: "Count") -> None:
        self.count += other.count


def line(number: int = 0, **changes: Any) -> LedgerLine:
    at = f"2026-11-24T12:{number // 60 % 60:02}:{number % 60:02}.500000Z"
    plain = LedgerLine(
        row=number,
        id=number,
        key="0" * 32,
        status="ok",
        prompt="p",
        model="m",
        started_at=at,
        category="a",
        confidence=0.9,
        latency_s=0.2,
        cost_usd=7e-9,
    )
    return replace(plain, **changes)


def outcome(number: int, view: str, **changes: Any) -> Outcome:
    row = Row(number, f"id-{number}", f"text {number}", Place("docs.jsonl", number + 1), {})
    return Outcome(row, "0" * 32, view, line(number, **changes), None)


@settings(deadline=None)
@given(st.lists(st.floats(min_value=0, max_value=1e9), max_size=300))
def test_buckets_stay_few_and_lose_nothing(positions: list[float]) -> None:
    buckets = Buckets(Count, most=16)
    for position in positions:
        buckets.at(position).count += 1
    assert len(buckets) <= 16
    assert sum(content.count for _, content in buckets) == len(positions)
    starts = [start for start, _ in buckets]
    assert starts == sorted(starts)
    assert all(any(start <= p < start + buckets.width for p in positions) for start in starts)


@settings(deadline=None)
@given(st.lists(st.floats(min_value=1e-3, max_value=1e4), min_size=1, max_size=100), st.sampled_from([0.5, 0.95, 1.0]))
def test_a_quantile_is_within_a_tenth_of_a_duration_that_occurred(durations: list[float], share: float) -> None:
    latencies = Latencies()
    for seconds in durations:
        latencies.add(seconds)
    exact = sorted(durations)[max(math.ceil(share * len(durations)) - 1, 0)]
    assert math.isclose(latencies.quantile(share), exact, rel_tol=0.1)


def test_the_least_certain_rows_are_kept_and_the_others_counted() -> None:
    attention = Attention()
    for n in range(MOST_IN_REVIEW + 10):
        attention.look_at(outcome(n, REVIEW, confidence=0.4 - n / 10_000))
    attention.look_at(outcome(9999, RESULTS, confidence=0.6))
    cases = attention.cases()
    assert len(cases) == MOST_IN_REVIEW
    assert cases[0]["row"] == MOST_IN_REVIEW + 9
    assert min(int(str(case["row"])) for case in cases) == 10
    assert attention.left_out() == {"review": 10}


def test_no_failure_kind_crowds_out_another() -> None:
    attention = Attention()
    for n in range(MOST_OF_A_KIND + 5):
        attention.look_at(outcome(n, FAILED_VIEW, status="failed", error=RowError("timeout", None, "too late")))
    attention.reject(Rejection(500, Place("docs.jsonl", 501), "bad_json", "no JSON", b"\xff{"))
    assert [case["kind"] for case in attention.cases()][-2:] == ["timeout", "bad_json"]
    assert attention.left_out() == {"timeout": 5}
    assert attention.counts == {"timeout": MOST_OF_A_KIND + 5, "bad_json": 1}


def test_a_long_pause_between_sessions_is_one_gap() -> None:
    story = Story(review_below=0.5)
    for n in (0, 1, 3, 900, 901):
        story.add_line(line(n))
    rows = course(story)[0].drawing
    assert rows.count("<g>") == 7
    assert rows.count("pause") == 2, "one for a second without a row, one for the 15 minutes"


def test_reused_rows_take_no_time_and_cost_nothing() -> None:
    story = Story(review_below=0.5)
    story.add_line(line(0))
    story.add_line(line(1, source="reused", latency_s=0.0))
    assert len(story.latencies) == 1
    assert [moment.rows for _, moment in story.moments] == [1]
