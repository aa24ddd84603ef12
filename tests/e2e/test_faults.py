"""Endpoint faults, and their effect on rows and cost."""

from typing import Any

import pytest

from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Program, accounted, documents, views, write_rows
from tests.ledgers import ledger_rows

DEFAULT_LABELS = {"technical", "business", "legal", "marketing", "other"}


def classify(llmbatch: Program, url: str, *more: str, count: int = 30) -> Any:
    if not (llmbatch.folder / "docs.jsonl").exists():
        write_rows(llmbatch.folder / "docs.jsonl", documents(count))
    return llmbatch("classify", "docs.jsonl", "--base-url", url, "--json", *more)


def test_mixed_faults_lose_no_row_and_a_second_run_fixes_the_rest(llmbatch: Program, endpoint: StartEndpoint) -> None:
    done = classify(llmbatch, endpoint("--fault", "mixed=10%").url, "--timeout", "0.5", count=150)
    assert done.code in (0, 3), done.err
    run = llmbatch.folder / "docs.llmbatch"
    assert accounted(run) == list(range(150))
    assert done.json["retries"]
    assert classify(llmbatch, endpoint().url).code == 0
    assert accounted(run) == list(range(150))
    assert not views(run)["failed"]
    assert {row["category"] for row in views(run)["results"]} <= DEFAULT_LABELS


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        ("quota@1+", "quota", 4),
        ("auth@1+", "credentials", 4),
        ("model_not_found@1+", "model_not_found", 4),
        ("redirect@1+", "redirect", 4),
        ("not_json@1+", "not_a_completion", 4),
        ("rate_limit[retry_after=86400]@1+", "longer than --max-wait", 7),
    ],
)
def test_a_fault_that_affects_every_row_stops_the_run_after_one_request(
    llmbatch: Program, endpoint: StartEndpoint, fault: str, kind: str, code: int
) -> None:
    server = endpoint("--fault", fault)
    done = classify(llmbatch, server.url)
    assert (done.code, server.requests) == (code, 1), done.err
    assert kind in done.json["reason"]
    assert done.json["rows"]["undone"] >= 29
    assert done.json["next_commands"][0].startswith("llmbatch classify docs.jsonl")
    assert done.json["to_do"], "what to do about it is reported"
    assert "Traceback" not in done.err


def test_an_exhausted_quota_midway_keeps_what_was_answered(llmbatch: Program, endpoint: StartEndpoint) -> None:
    done = classify(llmbatch, endpoint("--fault", "quota@11+").url, "--concurrency", "4")
    assert (done.code, done.json["rows"]["failed"]) == (4, 0)
    assert done.json["rows"]["ok"] + done.json["rows"]["review"] == 10
    server = endpoint()
    assert classify(llmbatch, server.url).code == 0
    assert server.requests == 20


def test_a_document_that_is_too_long_is_sent_once(llmbatch: Program, endpoint: StartEndpoint) -> None:
    server = endpoint("--fault", "context_length@5")
    done = classify(llmbatch, server.url, count=10)
    assert (done.code, server.requests, done.json["failures"]) == (3, 10, {"too_long": 1})


UNUSABLE = {
    "invented": "invalid",
    "bad_confidence": "invalid",
    "no_confidence": "invalid",
    "two_answers": "invalid",
    "duplicate_key": "invalid",
    "broken_json": "invalid",
    "truncated": "truncated",
    "empty": "empty",
    "null_content": "empty",
    "refusal": "refusal",
    "filtered": "filtered",
}


def test_an_unusable_answer_is_never_a_result(llmbatch: Program, endpoint: StartEndpoint) -> None:
    faults = [part for number, fault in enumerate(UNUSABLE, start=2) for part in ("--fault", f"{fault}@{number}")]
    server = endpoint(*faults)
    done = classify(llmbatch, server.url, "--concurrency", "1", "--reask", "0", count=20)
    assert done.code == 3, done.err
    ledger = ledger_rows(llmbatch.folder / "docs.llmbatch" / "ledger.jsonl")
    failed = {line["row"]: line for line in ledger if line["status"] == "failed"}
    assert [failed[row]["error"]["kind"] for row in sorted(failed)] == list(UNUSABLE.values())
    assert not any("category" in line for line in failed.values())
    assert all(line["cost_usd"] > 0 and line.get("output_tokens", 0) >= 0 for line in failed.values()), (
        "billed, yet failed"
    )
    assert {row["category"] for row in views(llmbatch.folder / "docs.llmbatch")["results"]} <= DEFAULT_LABELS


def test_repairable_answers_are_accepted_and_counted(llmbatch: Program, endpoint: StartEndpoint) -> None:
    server = endpoint("--fault", "wrapped@5", "--fault", "miscased@6")
    done = classify(llmbatch, server.url, count=8)
    assert (done.code, done.json["parse"]) == (0, {"clean": 6, "repaired": 2})


PASSING = {
    "rate_limit[retry_after=0.01]": "rate_limit",
    "rate_limit_bare": "rate_limit",
    "rate_limit_html": "rate_limit",
    "server_error": "server_error",
    "bad_gateway": "server_error",
    "invented": "invalid",
    "overloaded": "overloaded",
    "reset": "connection",
    "cut": "connection",
    "conflict": "conflict",
    "request_timeout": "timeout",
    "empty": "empty",
    "truncated": "truncated",
    "not_json": "not_a_completion",
    "endless": "not_a_completion",
    "bomb": "not_a_completion",
}


def test_transient_faults_are_retried(llmbatch: Program, endpoint: StartEndpoint) -> None:
    faults = [part for number, fault in enumerate(PASSING, start=2) for part in ("--fault", f"{fault}@{number}")]
    server = endpoint(*faults)
    done = classify(llmbatch, server.url, "--concurrency", "1", "--attempts", "20", "--reask", "9", count=20)
    assert (done.code, server.requests) == (0, 20 + len(PASSING)), done.err
    kinds = list(PASSING.values())
    assert done.json["retries"] == {kind: kinds.count(kind) for kind in kinds}


def test_a_request_that_does_not_end_is_abandoned_at_its_timeout(llmbatch: Program, endpoint: StartEndpoint) -> None:
    server = endpoint("--fault", "timeout@3", "--fault", "drip@4")
    done = classify(llmbatch, server.url, "--timeout", "0.7", count=6)
    assert (done.code, done.json["retries"]) == (0, {"timeout": 2})
    assert done.json["usage"]["possibly_billed_requests"] == 2


def test_an_unreachable_endpoint_ends_the_run_after_the_first_rows_attempts(llmbatch: Program) -> None:
    done = classify(llmbatch, "http://127.0.0.1:9/v1", count=3)
    assert (done.code, done.json["rows"]["undone"]) == (7, 3)
    assert "endpoint down (connection)" in done.json["reason"]
    assert done.json["usage"]["cost_usd"] == 0
    assert done.json["usage"]["possibly_billed_requests"] == 0, "no request was sent, so none can have been billed"


def test_a_deadline_ends_the_run_cleanly(llmbatch: Program, endpoint: StartEndpoint) -> None:
    server = endpoint("--fault", "timeout@3+")
    done = classify(llmbatch, server.url, "--deadline", "3s", "--grace", "0.1", count=6)
    assert (done.code, done.json["reason"]) == (7, "the --deadline has passed")
    assert done.json["next_commands"]


def test_a_rate_limit_uses_up_no_attempt(llmbatch: Program, endpoint: StartEndpoint) -> None:
    server = endpoint("--fault", "rate_limit[retry_after=0.001]@2-13")
    done = classify(llmbatch, server.url, "--attempts", "1", count=4)
    assert (done.code, done.json["retries"]) == (0, {"rate_limit": 12})


@pytest.mark.parametrize(
    ("refused", "requests"),
    [
        (("json_schema",), 2),
        (("json_schema", "json_object"), 3),
        (("prompt_cache_key",), 2),
        (("reasoning_effort",), 4),
    ],
)
def test_a_refused_parameter_is_replaced_once_per_run(
    llmbatch: Program, endpoint: StartEndpoint, refused: tuple[str, ...], requests: int
) -> None:
    server = endpoint(*(part for name in refused for part in ("--refuse", name)))
    done = classify(llmbatch, server.url, count=10)
    assert (done.code, server.requests) == (0, 9 + requests), done.err
    assert "refuses a parameter" in done.err


def test_an_older_model_gets_its_own_parameters(llmbatch: Program, endpoint: StartEndpoint) -> None:
    server = endpoint()
    done = classify(llmbatch, server.url, "--model", "gpt-4o-mini", count=4)
    assert (done.code, server.requests) == (0, 4)


def test_azure_is_addressed_by_deployment(llmbatch: Program, endpoint: StartEndpoint) -> None:
    server = endpoint("--api-key", "azure-secret")
    write_rows(llmbatch.folder / "docs.jsonl", documents(3))
    done = llmbatch(
        "classify",
        "docs.jsonl",
        "--base-url",
        server.url.removesuffix("/v1"),
        "--api-version",
        "2024-10-21",
        "--model",
        "my-gpt",
        AZURE_OPENAI_API_KEY="azure-secret",
    )
    assert (done.code, server.requests) == (0, 3), done.err


def test_no_secret_is_written_or_shown_if_the_server_echoes_it(llmbatch: Program, endpoint: StartEndpoint) -> None:
    server = endpoint("--api-key", "the-right-one")
    write_rows(llmbatch.folder / "docs.jsonl", documents(2))
    key = "sk-proj-veryverysecretindeed1234567890"
    done = llmbatch("classify", "docs.jsonl", "--base-url", server.url, "--json", OPENAI_API_KEY=key)
    assert done.code == 4
    written = b"".join(path.read_bytes() for path in (llmbatch.folder / "docs.llmbatch").iterdir()).decode()
    for text in (done.out, done.err, written):
        assert key not in text
        assert "indeed1234567890" not in text


def test_a_key_with_a_line_break_is_refused_before_anything_is_sent(llmbatch: Program, endpoint: StartEndpoint) -> None:
    server = endpoint()
    write_rows(llmbatch.folder / "docs.jsonl", documents(2))
    done = llmbatch("classify", "docs.jsonl", "--base-url", server.url, OPENAI_API_KEY="sk-abc\ndef")
    assert (done.code, server.requests) == (2, 0)
    assert "sk-abc" not in done.err


@pytest.mark.parametrize("url", ["https://me:hunter2@host.example/v1", "https://host.example/v1?key=hunter2"])
def test_a_base_url_with_a_secret_is_refused_and_not_shown(llmbatch: Program, url: str) -> None:
    done = classify(llmbatch, url)
    assert done.code == 2
    assert "hunter2" not in done.err
    assert not (llmbatch.folder / "docs.llmbatch").exists()


def test_missing_usage_is_flagged_and_counts_as_possibly_billed(llmbatch: Program, endpoint: StartEndpoint) -> None:
    done = classify(llmbatch, endpoint("--fault", "no_usage@2").url, count=3)
    assert (done.code, done.json["usage"]["possibly_billed_requests"]) == (0, 1)
    flags = [line.get("flags", []) for line in ledger_rows(llmbatch.folder / "docs.llmbatch" / "ledger.jsonl")]
    assert sorted(flags) == [[], [], ["usage_missing"]]


def test_answers_by_another_model_are_reported(llmbatch: Program, endpoint: StartEndpoint) -> None:
    done = classify(llmbatch, endpoint("--fault", "other_model@2").url, count=3)
    assert "another model" in " ".join(done.json["notes"])


def test_totals_are_the_sums_of_the_ledger_lines(llmbatch: Program, endpoint: StartEndpoint) -> None:
    done = classify(llmbatch, endpoint("--fault", "mixed=20%").url, "--timeout", "0.5", count=60)
    lines = ledger_rows(llmbatch.folder / "docs.llmbatch" / "ledger.jsonl")
    usage = done.json["usage"]
    assert usage["requests"] == sum(line["attempts"] for line in lines)
    for name in ("input_tokens", "cached_input_tokens", "output_tokens"):
        assert usage[name] == sum(line[name] for line in lines)
    assert usage["cost_usd"] == pytest.approx(sum(line["cost_usd"] for line in lines), abs=1e-9)


def test_an_unknown_price_is_reported_and_never_zero(llmbatch: Program) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", documents(2))
    done = llmbatch("classify", "docs.jsonl", "--offline", "--model", "my-own-model", "--json")
    assert (done.code, done.json["usage"]["cost_usd"]) == (0, None)
    assert "price" in " ".join(done.json["notes"])
    assert done.err.count("is unknown, and so are costs") == 1


def test_ones_own_server_is_assumed_free_and_that_is_reported(llmbatch: Program, endpoint: StartEndpoint) -> None:
    url = endpoint().url
    done = classify(llmbatch, url, "--model", "my-own-model", count=2)
    assert (done.code, done.json["usage"]["cost_usd"]) == (0, 0.0)
    assert f"{url} is your own server, so answers count as free" in done.err


def test_a_run_with_unusable_answers_stops_itself(llmbatch: Program, endpoint: StartEndpoint) -> None:
    server = endpoint("--fault", "invented=40%")
    done = classify(llmbatch, server.url, "--concurrency", "4", count=300)
    assert done.code == 4
    assert "--stop-at-invalid 20%" in done.json["reason"]
    assert server.requests < 150
    assert done.json["rows"]["undone"] > 200
    on = classify(llmbatch, server.url, "--stop-at-invalid", "100%", "--stop-at-failures", "100%")
    assert on.json["rows"]["undone"] == 0
