"""Estimates are right: a run's cost is within the estimated range, and estimating sends nothing."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llmbatch.engine.plan import ModelChoice
from llmbatch.engine.sending import Sending
from llmbatch.estimate.estimate import EstimateOptions, estimate_run
from llmbatch.observe.observer import Observer
from llmbatch.provider.limits import RateLimits
from llmbatch.provider.retry import RetryPolicy
from llmbatch.runs.options import CanaryOptions, RunOptions
from llmbatch.session.run import classify_run
from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Program, documents, write_rows

# Automatic caching, as the endpoint accounts it for a model of this name.
MODEL = "gpt-4o-mini"
ARMS = {"canary": "canary", "escalate_to": "escalation"}
QUICK = RetryPolicy(wait_min_s=0.001, wait_max_s=0.01)


def run(folder: Path, url: str | None = None, **sending: Any) -> RunOptions:
    return RunOptions(
        (str(folder / "docs.jsonl"),), choice=ModelChoice(MODEL), sending=Sending(base_url=url, **sending)
    )


@pytest.mark.parametrize("faults", [(), ("--fault", "mixed=5%")])
def test_a_run_costs_what_was_estimated(tmp_path: Path, endpoint: StartEndpoint, faults: tuple[str, ...]) -> None:
    server = endpoint(*faults)
    rows = documents(300)
    write_rows(tmp_path / "docs.jsonl", [*rows, *rows[:40], b"bad"])
    (estimated,) = estimate_run(EstimateOptions(run(tmp_path, server.url))).models
    assert server.requests == 0
    assert (estimated.rows.to_ask, estimated.rows.like_another, estimated.rows.rejected) == (300, 40, 1)
    summary = classify_run(run(tmp_path, server.url, policy=QUICK), Observer())
    assert estimated.cost is not None
    assert summary.spent.cost_nanousd is not None
    if faults:
        assert estimated.cost.low <= summary.spent.cost_nanousd <= estimated.cost.high
    else:
        assert summary.spent.cost_nanousd == pytest.approx(estimated.cost.expected, rel=0.02)
        assert summary.spent.input_tokens == pytest.approx(estimated.job.input_tokens, rel=1e-4)
        assert summary.spent.cached_share == pytest.approx(estimated.job.cached_share, abs=0.01)
    (left,) = estimate_run(EstimateOptions(run(tmp_path, server.url))).models
    assert left.rows.done + left.rows.to_ask + left.rows.like_another == 340
    assert left.rows.to_ask <= summary.rows.failed


def test_the_estimate_counts_the_rest_of_a_run_and_learns_from_its_finished_rows(
    tmp_path: Path, endpoint: StartEndpoint
) -> None:
    server = endpoint("--latency", "0.01", "--rpm", "60000")
    write_rows(tmp_path / "docs.jsonl", documents(60))
    classify_run(run(tmp_path, server.url), Observer())
    write_rows(tmp_path / "docs.jsonl", documents(200))
    (rest,) = estimate_run(EstimateOptions(run(tmp_path, server.url))).models
    assert (rest.rows.done, rest.rows.to_ask, rest.known_rows) == (60, 140, 60)
    assert "last session" in rest.time.why
    limited = run(tmp_path, server.url, limits=RateLimits(requests_per_s=1))
    assert estimate_run(EstimateOptions(limited)).models[0].time.seconds == 140


@pytest.mark.parametrize(
    ("beside", "review_below"),
    [
        ({"escalate_to": "gpt-5.4"}, 0.97),
        ({"escalate_to": "gpt-5.4"}, 1.0),
        ({"canary": CanaryOptions(None, "gpt-5.4", 0.3)}, 0.5),
        ({"canary": CanaryOptions(None, "gpt-5.4", 0.1, expand=True), "escalate_to": "gpt-5.4-mini"}, 0.97),
    ],
)
def test_the_estimate_includes_every_extra_request_of_a_run(
    tmp_path: Path, endpoint: StartEndpoint, beside: dict[str, Any], review_below: float
) -> None:
    server = endpoint()
    write_rows(tmp_path / "docs.jsonl", documents(40))
    options = replace(run(tmp_path, server.url), review_below=review_below, **beside)
    (estimated,) = estimate_run(EstimateOptions(options)).models
    assert estimated.cost is not None
    summary = classify_run(options, Observer())
    assert summary.spent.cost_nanousd is not None
    assert estimated.cost.low <= summary.spent.cost_nanousd <= estimated.cost.high
    assert [arm.arm for arm in estimated.arms[1:]] == [ARMS[option] for option in beside]
    (again,) = estimate_run(EstimateOptions(options)).models
    assert again.cost is not None
    assert again.cost.high == 0, "nothing is left to send"


def test_rows_waiting_only_for_the_stronger_model_are_estimated_at_its_price(
    tmp_path: Path, endpoint: StartEndpoint
) -> None:
    server = endpoint()
    write_rows(tmp_path / "docs.jsonl", documents(60))
    first = replace(run(tmp_path, server.url), review_below=0.97)
    before = classify_run(first, Observer())
    assert before.rows.review
    (estimated,) = estimate_run(EstimateOptions(replace(first, escalate_to="gpt-5.4"))).models
    control, stronger = estimated.arms
    assert (control.rows.high, stronger.rows.low, stronger.rows.high) == (0, before.rows.review, before.rows.review)
    after = classify_run(replace(first, escalate_to="gpt-5.4"), Observer())
    assert estimated.cost is not None
    assert after.session.cost_nanousd == pytest.approx(estimated.cost.expected, rel=0.05)
    write_rows(tmp_path / "docs.jsonl", documents(120))
    (more,) = estimate_run(EstimateOptions(replace(first, escalate_to="gpt-5.4"))).models
    rows = more.arms[1].rows
    assert rows.expected == pytest.approx(before.rows.review)
    assert rows.low < rows.expected <= rows.high


def test_models_are_shown_side_by_side(llmbatch: Program) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", documents(20))
    shown = llmbatch("estimate", "docs.jsonl", "-m", "gpt-4o-mini", "-m", "mine", "--rpm", "600")
    assert (shown.code, shown.err) == (0, "")
    assert "gpt-4o-mini" in shown.out
    assert "unknown" in shown.out
    assert not (llmbatch.folder / "docs.llmbatch").exists()
    done = llmbatch("estimate", "docs.jsonl", "-m", "mine", "--price", "1,0.1,2", "--json")
    (estimate,) = done.json["models"]
    assert estimate["cost_usd"]["low"] <= estimate["cost_usd"]["expected"] < estimate["cost_usd"]["high"]


def test_an_expensive_run_needs_confirmation(llmbatch: Program, endpoint: StartEndpoint) -> None:
    server = endpoint()
    write_rows(llmbatch.folder / "docs.jsonl", documents(20))
    command = ("classify", "docs.jsonl", "--base-url", server.url, "--confirm-above")
    stopped = llmbatch(*command, "0.0001")
    assert (stopped.code, server.requests) == (5, 0)
    assert "--yes" in stopped.err
    assert not (llmbatch.folder / "docs.llmbatch").exists()
    confirmed = llmbatch(*command, "0.0001", "--yes")
    assert (confirmed.code, server.requests) == (0, 20)
    assert "estimate: 20 rows to send: about $" in confirmed.err


def test_the_estimate_and_the_guard_name_every_arm(llmbatch: Program, endpoint: StartEndpoint) -> None:
    server = endpoint()
    write_rows(llmbatch.folder / "docs.jsonl", documents(20))
    beside = ("--escalate-to", "gpt-5.4", "--canary-model", "gpt-5.4-mini", "--canary-share", "20%")
    command = ("classify", "docs.jsonl", "--base-url", server.url, *beside, "--confirm-above")
    alone = llmbatch("estimate", "docs.jsonl", "--json").json["models"][0]["cost_usd"]["high"]
    stopped = llmbatch(*command, str(alone))
    assert (stopped.code, server.requests) == (5, 0)
    assert "canary gpt-5.4-mini up to $" in stopped.err
    assert "escalation gpt-5.4 up to $" in stopped.err
    confirmed = llmbatch(*command, str(alone), "--yes")
    assert confirmed.code == 0
    assert "; control gpt-6-luna" in confirmed.err
    assert "; escalation gpt-5.4, 0 to 20 rows: $0 to $" in confirmed.err
    shown = llmbatch("estimate", "docs.jsonl", *beside, "--out", "new")
    assert (shown.code, "gpt-5.4-mini, 0 to" in shown.out) == (0, True)
    unknown = llmbatch("classify", "docs.jsonl", "--escalate-to", "mine", "--offline", "--confirm-above", "1")
    assert (unknown.code, "the price of mine is unknown" in unknown.err) == (2, True)


def test_an_expensive_retry_needs_confirmation(llmbatch: Program, endpoint: StartEndpoint) -> None:
    server = endpoint("--fault", "refusal@2-3")
    write_rows(llmbatch.folder / "docs.jsonl", documents(20))
    served = ("--base-url", server.url)
    assert llmbatch("classify", "docs.jsonl", *served, "--review-below", "0.97", "--concurrency", "1").code == 3
    retry = ("retry", "docs.llmbatch", *served)
    stopped = llmbatch(*retry, "--model", "gpt-5.4", LLMBATCH_CONFIRM_ABOVE="0.001")
    assert (stopped.code, server.requests) == (5, 20), stopped.err
    assert "2 rows to send may cost up to $" in stopped.err
    in_review = llmbatch(*retry, "--review", "--confirm-above", "0.00001")
    assert (in_review.code, server.requests) == (5, 20)
    assert llmbatch(*retry, "--confirm-above", "0.1").code == 0
    assert server.requests == 22


def test_an_expensive_comparison_needs_confirmation(llmbatch: Program, endpoint: StartEndpoint) -> None:
    server = endpoint()
    write_rows(llmbatch.folder / "docs.jsonl", documents(10))
    command = ("compare", "docs.jsonl", "--base-url", server.url, "-m", "gpt-6-luna", "-m", "gpt-5.4")
    stopped = llmbatch(*command, LLMBATCH_CONFIRM_ABOVE="0.001")
    assert (stopped.code, server.requests) == (5, 0), stopped.err
    assert "20 rows to send may cost up to $" in stopped.err
    assert "gpt-5.4 up to $" in stopped.err
    assert llmbatch(*command, "--yes", LLMBATCH_CONFIRM_ABOVE="0.001").code == 0
