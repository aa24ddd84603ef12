"""Against an endpoint with limits that are not configured: nearly all of them is used, few requests are refused."""

import random
from pathlib import Path

import pytest

from tests.engine.simulated import PLAN, documents, run_simulated

START_AND_END_S = 1.0
"""The first answer, which states the limit, and the last one's latency."""


@pytest.mark.parametrize("per_s", [0.2, 1, 10, 30])
def test_requests_a_minute(tmp_path: Path, per_s: float) -> None:
    count = max(int(15 * per_s), 15)
    run = run_simulated(tmp_path, documents(count), rpm=int(per_s * 60), latency_s=0.3)
    assert (len(run.lines), run.outcomes) == (count, {"ok"})
    assert run.statuses.get(429, 0) <= 0.01 * count
    assert run.ended_s <= (count / per_s) / 0.95 + START_AND_END_S


def test_the_bucket_is_full_at_the_start(tmp_path: Path) -> None:
    run = run_simulated(tmp_path, documents(300), rpm=6_000, latency_s=0.3)
    assert run.statuses == {200: 300}
    assert run.ended_s <= 300 / 99 + 0.1, "the burst makes up for the latency of the first and last answer"


@pytest.mark.parametrize("tpm", [300_000, 3_000_000])
def test_tokens_a_minute_with_documents_of_varying_length(tmp_path: Path, tpm: int) -> None:
    draw = random.Random(3)
    texts = [f"{text} " * int(draw.lognormvariate(1.5, 1.0) + 1) for text in documents(tpm // 10_000)]
    run = run_simulated(tmp_path, texts, tpm=tpm, latency_s=0.3)
    assert run.statuses.get(429, 0) <= 0.01 * len(texts)
    tokens = run.prompt_tokens + len(texts) * PLAN.shape.max_output_tokens
    assert run.ended_s <= tokens / (tpm / 60) / 0.95 + START_AND_END_S


def test_a_limit_that_no_header_states_is_inferred(tmp_path: Path) -> None:
    run = run_simulated(tmp_path, documents(500), rpm=30 * 60, states_limits=False, latency_s=0.3)
    assert (run.reason, len(run.lines), run.outcomes) == (None, 500, {"ok"})
    assert run.statuses[429] <= 0.05 * 500, "most of them while it is being inferred"
    assert run.ended_s <= 500 / 30 / 0.9 + START_AND_END_S


def test_a_few_refusals_among_many_answers_are_not_taken_for_a_limit(tmp_path: Path) -> None:
    run = run_simulated(tmp_path, documents(300), "rate_limit[retry_after=0.01]=1%", latency_s=0.1)
    assert (run.reason, len(run.lines)) == (None, 300)
    assert run.ended_s < 12


def test_a_retry_after_delays_all_requests(tmp_path: Path) -> None:
    run = run_simulated(tmp_path, documents(200), "rate_limit[retry_after=20]@2s-2.05s", rpm=1200, latency_s=0.3)
    assert (run.reason, len(run.lines)) == (None, 200)
    assert run.requests_between(4, 21) == 0


def test_retried_rows_are_sent_before_new_rows(tmp_path: Path) -> None:
    run = run_simulated(tmp_path, documents(300), "server_error@20", "invented@60", rpm=600, latency_s=0.3)
    again = [place for place, line in enumerate(run.lines) if line.attempts > 1]
    assert len(again) == 2
    assert max(again) < 200, "within the longest wait before a retry, not at the run's end"
