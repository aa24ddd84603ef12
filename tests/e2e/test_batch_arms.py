"""Batch runs that do more than send each row once: canary, stronger model, retry, cached answers, baseline."""

from typing import Any

import pytest

from tests.e2e.batches import IMPATIENT, ROWS, batched, ledger, run_folder, spent, steps
from tests.e2e.conftest import StartEndpoint
from tests.e2e.forked import DIES_AT
from tests.e2e.program import Endpoint, Program, documents, read_rows, write_rows

DOUBTFUL = ("--escalate-to", "gpt-6-sol", "--review-below", "100%")


def parts(llmbatch: Program) -> list[tuple[str, int]]:
    """The arm and rows of each part."""
    log = read_rows(run_folder(llmbatch) / "batches.jsonl")
    return [(line.get("arm", "control"), line["rows"]) for line in log if line["event"] == "prepared"]


def test_doubtful_rows_go_to_the_stronger_model_in_a_second_round(llmbatch: Program, endpoint: StartEndpoint) -> None:
    served = endpoint()
    assert batched(llmbatch, served, *DOUBTFUL).code == 7
    second = batched(llmbatch, served, *DOUBTFUL)
    assert (second.code, second.json["at_provider"]["rows"], second.json["rows"]["review"]) == (7, ROWS, ROWS)
    done = batched(llmbatch, served, *DOUBTFUL)
    assert done.code == 0, done.err
    assert parts(llmbatch) == [(arm, rows) for arm in ("control", "escalation") for rows in (5, 5, 2)]
    assert (served.stats["batch_lines"], served.requests) == (2 * ROWS, 2 * ROWS)
    assert {line["model"] for line in ledger(llmbatch) if line.get("arm") == "escalation"} == {"gpt-6-sol"}
    assert not any("latency_s" in line for line in ledger(llmbatch))
    assert batched(llmbatch, served, *DOUBTFUL).json["session"]["requests"] == 0
    assert spent(llmbatch)["cost_usd"] == pytest.approx(done.json["usage"]["cost_usd"])


def fail(llmbatch: Program, served: Endpoint, **env: Any) -> Any:
    return batched(llmbatch, served, *DOUBTFUL, "--batch-wait", "1h", "--reask", "1", rows=4, **env)


def test_if_the_stronger_model_fails_the_first_answer_is_kept(llmbatch: Program, endpoint: StartEndpoint) -> None:
    served = endpoint("--fault", "invented=100%", "--faulty-model", "gpt-6-sol")
    done = fail(llmbatch, served)
    assert (done.code, done.json["rows"]["review"], done.json["rows"]["failed"]) == (0, 4, 0)
    assert parts(llmbatch) == [("control", 4), ("escalation", 4), ("escalation", 4)], "it is re-asked once"
    assert spent(llmbatch)["cost_usd"] == pytest.approx(done.json["usage"]["cost_usd"])


@pytest.mark.parametrize("step", [66, 70, 74, 78])
def test_a_kill_between_a_failure_and_the_kept_answer_loses_no_row(
    llmbatch: Program, endpoint: StartEndpoint, step: int
) -> None:
    served = endpoint("--fault", "invented=100%", "--faulty-model", "gpt-6-sol")
    fail(llmbatch, served, **{DIES_AT: str(step)})
    done = fail(llmbatch, served)
    assert (done.code, done.json["rows"]["review"], done.json["rows"]["failed"]) == (0, 4, 0)
    assert (served.requests, done.json["usage"]["requests"]) == (12, 12)
    assert spent(llmbatch)["cost_usd"] == pytest.approx(done.json["usage"]["cost_usd"])


CANARY = ("--canary-model", "gpt-6-nano", "--canary-share", "50%", "--batch-size", "400")


def test_a_canary_has_its_own_batch_parts_and_is_judged_once_they_are_collected(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    served = endpoint()
    assert batched(llmbatch, served, *CANARY, rows=60).code == 7
    (control, control_rows), (canary, canary_rows) = parts(llmbatch)
    assert (control, canary, control_rows + canary_rows) == ("control", "canary", 60)
    done = batched(llmbatch, served, *CANARY)
    assert done.code == 0, done.err
    arms = done.json["canary"]["arms"]
    assert (arms["control"]["rows"], arms["canary"]["rows"]) == (control_rows, canary_rows)
    assert done.json["canary"]["dropped"] is None
    assert (served.requests, served.stats["most_asked"]) == (60, 1)
    again = batched(llmbatch, served, *CANARY, "--model", "gpt-6-nano", "--canary-model", "gpt-6-luna")
    assert again.json["at_provider"]["rows"] == 60 - canary_rows, "the canary's answers count for its own plan too"


def test_a_bad_canary_is_dropped_and_its_rows_go_to_the_control(llmbatch: Program, endpoint: StartEndpoint) -> None:
    served = endpoint("--fault", "invented=60%", "--faulty-model", "gpt-6-nano")
    done = batched(llmbatch, served, *CANARY, "--batch-wait", "1h", rows=300)
    assert done.code == 0, done.err
    assert "gave no usable answer" in done.json["canary"]["dropped"]
    assert (done.json["rows"]["ok"], done.json["rows"]["undone"]) == (300, 0)
    assert len(parts(llmbatch)) == 3
    again = batched(llmbatch, served, *CANARY)
    assert (again.code, again.json["canary"]["dropped"]) == (0, done.json["canary"]["dropped"]), (
        "the same when run again"
    )
    assert "gave no usable answer" in llmbatch("canary", "report", "docs.llmbatch", "--json").json["dropped"]


def test_a_good_canary_gets_more_rows_each_round(llmbatch: Program, endpoint: StartEndpoint) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", documents(900))
    served = endpoint("--fault", "batch_expire[done=0.5]@1-2")
    expand = ("--canary-model", "gpt-6-nano", "--canary-share", "25%", "--canary-expand", "--batch-size", "900")
    done = batched(llmbatch, served, *expand, "--batch-wait", "1h")
    assert done.code == 0, done.err
    assert done.json["canary"]["share"] == 0.5
    first, second = parts(llmbatch)[1], parts(llmbatch)[3]
    assert first[1] < 270
    assert second[1] > first[1] / 2, "expired rows, and those that the larger share adds"


def test_a_refused_canary_part_drops_the_canary_but_not_the_run(llmbatch: Program, endpoint: StartEndpoint) -> None:
    done = batched(llmbatch, endpoint("--fault", "batch_invalid@2"), *CANARY, "--batch-wait", "1h", rows=30)
    assert (done.code, done.json["rows"]["ok"]) == (0, 30)
    assert "its part 2 failed at the provider (invalid_json_line" in done.json["canary"]["dropped"]


def test_a_dropped_canary_s_batches_are_cancelled(llmbatch: Program, endpoint: StartEndpoint) -> None:
    served = endpoint("--fault", "batch_invalid@3", "--fault", "batch_validating@4")
    few = ("--canary-model", "gpt-6-nano", "--canary-share", "50%", "--batch-size", "60")
    done = batched(llmbatch, served, *few, "--batch-wait", "1h", rows=200)
    assert done.code == 0, done.err
    assert "cancelling" in [line.get("status") for line in read_rows(run_folder(llmbatch) / "batches.jsonl")]


def test_failed_rows_are_retried_in_batches(llmbatch: Program, endpoint: StartEndpoint) -> None:
    served = endpoint("--fault", "invented@3,4")
    assert batched(llmbatch, served, "--batch-wait", "1h", "--reask", "0").code == 3
    retry = ("retry", "docs.llmbatch", "--json", "--base-url", served.url, "--batch", "--yes")
    submitted = llmbatch(*retry, **IMPATIENT)
    assert (submitted.code, submitted.json["at_provider"]["rows"]) == (7, 2), submitted.err
    assert llmbatch("retry", "docs.llmbatch", "--base-url", served.url, **IMPATIENT).code == 2
    collected = llmbatch(*retry, **IMPATIENT)
    assert (collected.code, collected.json["rows"]["ok"], served.stats["batch_lines"]) == (0, ROWS, ROWS + 2)


def test_rows_in_review_are_retried_in_batches_by_another_model(llmbatch: Program, endpoint: StartEndpoint) -> None:
    served = endpoint()
    assert batched(llmbatch, served, "--batch-wait", "1h", "--review-below", "100%").code == 0
    retry = ("retry", "docs.llmbatch", "--json", "--base-url", served.url, "--batch", "--yes", "--review")
    assert llmbatch(*retry, "--model", "gpt-6-sol", **IMPATIENT).json["at_provider"]["rows"] == ROWS
    other = llmbatch(*retry, "--model", "gpt-6-nano", **IMPATIENT)
    assert (other.code, "with another prompt, labels or model" in other.err) == (2, True)
    done = llmbatch(*retry, "--model", "gpt-6-sol", "--batch-wait", "0s", **IMPATIENT)
    assert {line["model"] for line in ledger(llmbatch)} == {"gpt-6-luna", "gpt-6-sol"}
    assert steps(llmbatch).count("collected") == 4
    assert done.json["usage"]["requests"] == 2 * ROWS


def test_cached_answers_are_used_and_new_ones_cached(llmbatch: Program, endpoint: StartEndpoint) -> None:
    served = endpoint()
    cache = ("--reuse", "--reuse-store", "answers.db", "--batch-wait", "1h")
    assert batched(llmbatch, served, *cache, rows=6).code == 0
    write_rows(llmbatch.folder / "docs.jsonl", documents(ROWS))
    done = batched(llmbatch, served, *cache, "--out", "other.llmbatch")
    assert done.code == 0, done.err
    assert (done.json["rows"]["ok"], served.requests) == (ROWS, ROWS)
    assert done.json["session"]["from_earlier_runs"] == 6


def test_a_baseline_is_compared_with_the_collected_answers(llmbatch: Program, endpoint: StartEndpoint) -> None:
    served = endpoint()
    assert batched(llmbatch, served, "--batch-wait", "1h").code == 0
    old = ("--baseline", "docs.llmbatch", "--out", "new.llmbatch", "--fail-on-drift")
    done = batched(llmbatch, served, *old, "--batch-wait", "1h", "--model", "gpt-4o-mini")
    assert done.code == 3, done.err
    assert done.json["drift"]["significant"]
