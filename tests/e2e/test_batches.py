"""`classify --batch`: rows are submitted in batch files, and the same command collects them despite faults."""

import signal
from typing import Any

import pytest
from openai import OpenAI

from tests.e2e.batches import IMPATIENT, ROWS, batched, ledger, run_folder, spent, steps
from tests.e2e.conftest import StartEndpoint
from tests.e2e.forked import DIES_AT
from tests.e2e.program import Program, documents, read_rows, wait_until, write_rows
from tests.ledgers import ledger_rows


def test_the_same_command_submits_and_then_collects(llmbatch: Program, endpoint: StartEndpoint) -> None:
    served = endpoint()
    submitted = batched(llmbatch, served)
    assert submitted.code == 7
    assert submitted.json["state"] == "waiting"
    assert submitted.json["at_provider"]["rows"] == ROWS
    assert "12 rows in 3 parts are at the provider; the next one expires" in submitted.json["reason"]
    left = {file.name for file in (run_folder(llmbatch) / "batches").iterdir()}
    assert left == {f"part-000{number}.rows.jsonl" for number in (1, 2, 3)}, "texts stay there no longer than needed"
    assert "12 at the provider in 3 batch parts" in llmbatch("show", "docs.llmbatch").out
    collected = batched(llmbatch, served)
    assert collected.code == 0, collected.err
    assert collected.json["rows"]["ok"] == ROWS
    assert collected.json["at_provider"]["parts"] == 0
    assert {line["source"] for line in ledger(llmbatch)} == {"batch"}
    assert {line["service_tier"] for line in ledger(llmbatch)} == {"batch"}
    assert not any("latency_s" in line for line in ledger(llmbatch))
    assert served.stats["most_asked"] == 1
    assert not (run_folder(llmbatch) / "batches").exists()


def test_no_missing_cached_share_is_reported_if_none_is_planned(llmbatch: Program, endpoint: StartEndpoint) -> None:
    served = endpoint()
    assert batched(llmbatch, served, rows=25).code == 7
    collected = batched(llmbatch, served)
    assert (collected.code, collected.json["rows"]["ok"]) == (0, 25)
    assert [note for note in collected.json["notes"] if "cache" in note] == []


def test_answers_and_keys_are_those_of_single_requests(llmbatch: Program, endpoint: StartEndpoint) -> None:
    served = endpoint()
    batched(llmbatch, served)
    batched(llmbatch, served)
    single = llmbatch("classify", "docs.jsonl", "--base-url", served.url, "--json")
    assert (single.code, single.json["session"]["requests"]) == (0, 0), "no row is paid for again when sent singly"
    llmbatch("classify", "docs.jsonl", "--base-url", served.url, "--out", "single.llmbatch")
    alone = ledger_rows(llmbatch.folder / "single.llmbatch" / "ledger.jsonl")
    reported = ("key", "row", "id", "category", "confidence")
    assert sorted([line[name] for name in reported] for line in alone) == sorted(
        [line[name] for name in reported] for line in ledger(llmbatch)
    )


def test_with_a_wait_one_command_submits_and_collects(llmbatch: Program, endpoint: StartEndpoint) -> None:
    done = batched(llmbatch, endpoint(), "--batch-wait", "1h")
    assert done.code == 0, done.err
    assert done.json["rows"]["ok"] == ROWS


def test_rows_with_the_same_text_are_sent_once(llmbatch: Program, endpoint: StartEndpoint) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", documents(3) * 4)
    served = endpoint()
    done = batched(llmbatch, served, "--batch-wait", "1h")
    assert (done.code, done.json["rows"]["ok"], served.requests) == (0, 12, 3)


def test_an_expired_batch_keeps_its_answers_and_only_the_rest_is_sent_again(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    served = endpoint("--fault", "batch_expire@1-2")
    done = batched(llmbatch, served, "--batch-wait", "1h")
    assert done.code == 0, done.err
    assert (served.stats["most_asked"], served.requests) == (1, ROWS)
    assert done.json["usage"]["possibly_billed_requests"] == 0
    assert spent(llmbatch)["requests"] == ROWS


def test_failed_lines_are_handled_like_failed_responses(llmbatch: Program, endpoint: StartEndpoint) -> None:
    served = endpoint(
        "--fault",
        "rate_limit@1",
        "--fault",
        "context_length@2",
        "--fault",
        "invented@3",
        "--fault",
        "batch_line_null@12",
    )
    done = batched(llmbatch, served, "--batch-wait", "1h", "--reask", "0")
    assert done.code == 3
    failed = {line["error"]["kind"]: line for line in ledger(llmbatch) if line["status"] == "failed"}
    assert set(failed) == {"too_long", "invalid"}
    assert failed["too_long"].get("cost_usd", 0) == 0
    assert failed["invalid"]["cost_usd"] > 0
    assert done.json["rows"]["ok"] == ROWS - 2
    assert batched(llmbatch, served, "--batch-wait", "1h").json["rows"]["ok"] == ROWS, "failed rows are retried"


def test_a_row_that_never_gets_an_answer_fails_after_three_batches(llmbatch: Program, endpoint: StartEndpoint) -> None:
    done = batched(llmbatch, endpoint("--fault", "batch_line_null@1+"), "--batch-wait", "1h", rows=2)
    assert done.code == 3
    assert [line["error"]["kind"] for line in ledger(llmbatch)] == ["batch_line"] * 2
    assert steps(llmbatch).count("collected") == 3


def test_missing_duplicate_and_foreign_lines_are_counted(llmbatch: Program, endpoint: StartEndpoint) -> None:
    served = endpoint(
        "--fault", "batch_line_lost@1,2", "--fault", "batch_line_double@3", "--fault", "batch_line_foreign@4"
    )
    done = batched(llmbatch, served, "--batch-wait", "1h")
    assert done.code == 0, done.err
    assert "2 answers missing: possibly billed" in done.err
    assert "1 line duplicated, the first one counts; 1 line without a matching row" in done.err
    keys = [line["key"] for line in ledger(llmbatch)]
    assert len(keys) == len(set(keys)) == ROWS
    assert done.json["usage"]["possibly_billed_requests"] == 2
    assert done.json["usage"]["possibly_billed_usd"] > 0
    assert spent(llmbatch)["possibly_billed_requests"] == 2
    assert llmbatch("show", "docs.llmbatch", "--json").json["usage"]["possibly_billed_requests"] == 2


@pytest.mark.parametrize("fault", ["batch_create_lost@1", "batch_create_error@2"])
def test_a_batch_whose_creation_was_not_confirmed_is_found_and_not_created_again(
    llmbatch: Program, endpoint: StartEndpoint, fault: str
) -> None:
    served = endpoint("--fault", fault, "--fault", "batch_no_metadata=100%")
    done = batched(llmbatch, served, "--batch-wait", "1h")
    assert done.code == 0, done.err
    assert "was already submitted" in done.err
    assert (served.stats["batches"], served.stats["most_asked"]) == (3, 1)


def test_if_batches_cannot_be_listed_none_is_created_twice(llmbatch: Program, endpoint: StartEndpoint) -> None:
    served = endpoint("--fault", "batch_create_lost@1", "--fault", "batch_no_list=100%")
    done = batched(llmbatch, served, rows=5)
    assert done.code == 4
    assert "part 1 may or may not have been submitted" in done.json["reason"]
    assert "llmbatch batch adopt docs.llmbatch 1 BATCH" in done.json["to_do"]
    assert batched(llmbatch, served).code == 4
    assert served.stats["batches"] == 1
    forgotten = llmbatch("batch", "forget", "docs.llmbatch", "1", **IMPATIENT)
    assert forgotten.code == 0, forgotten.err
    done = batched(llmbatch, served, "--batch-wait", "1h")
    assert (done.code, done.json["usage"]["possibly_billed_requests"]) == (0, 5)
    assert spent(llmbatch)["possibly_billed_usd"] > 0


def test_a_batch_the_user_names_is_adopted(llmbatch: Program, endpoint: StartEndpoint) -> None:
    served = endpoint("--fault", "batch_create_lost@1", "--fault", "batch_no_list@1")
    assert batched(llmbatch, served, rows=5).code == 4
    with OpenAI(base_url=served.url, api_key="k") as client:
        (batch,) = client.batches.list()
    assert llmbatch("batch", "adopt", "docs.llmbatch", "1", batch.id).code == 0
    assert batched(llmbatch, served, "--batch-wait", "1h").code == 0
    assert (served.stats["batches"], served.stats["most_asked"]) == (1, 1)


def test_a_file_not_visible_at_once_is_waited_for(llmbatch: Program, endpoint: StartEndpoint) -> None:
    served = endpoint("--fault", "batch_file_not_found@1,2", "--fault", "batch_upload_error@1")
    assert batched(llmbatch, served, "--batch-wait", "1h").code == 0
    assert served.stats["batches"] == 3


def test_interrupted_downloads_are_repeated(llmbatch: Program, endpoint: StartEndpoint) -> None:
    served = endpoint("--fault", "batch_content_error@1", "--fault", "batch_content_cut@2", "--fault", "batch_expire@1")
    done = batched(llmbatch, served, "--batch-wait", "1h")
    assert done.code == 0, done.err
    assert served.stats["most_asked"] == 1


def test_late_files_are_waited_for_and_else_left_for_the_next_command(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    served = endpoint("--fault", "batch_output_late[polls=4]@1")
    batched(llmbatch, served, rows=5)
    assert batched(llmbatch, served).code == 7
    assert batched(llmbatch, served).code == 0
    assert served.stats["most_asked"] == 1


def test_a_missing_output_is_reported_and_its_rows_are_sent_again(llmbatch: Program, endpoint: StartEndpoint) -> None:
    served = endpoint("--fault", "batch_output_gone@1")
    done = batched(llmbatch, served, "--batch-wait", "1h")
    assert done.code == 0, done.err
    assert done.json["usage"]["possibly_billed_requests"] == 5
    assert done.json["rows"]["ok"] == ROWS


def test_a_vanished_batch_stops_the_run_and_both_remedies_are_named(llmbatch: Program, endpoint: StartEndpoint) -> None:
    served = endpoint("--fault", "batch_vanished@1")
    batched(llmbatch, served, rows=5)
    done = batched(llmbatch, served)
    assert done.code == 4
    assert "the endpoint does not know batch_" in done.json["reason"]
    assert "llmbatch batch forget docs.llmbatch 1" in done.json["to_do"]


def test_a_token_limit_is_learned_and_respected(llmbatch: Program, endpoint: StartEndpoint) -> None:
    served = endpoint("--enqueued-tokens", "5000")
    done = batched(llmbatch, served, "--batch-wait", "1h")
    assert done.code == 0, done.err
    assert "token_limit_exceeded" in done.err
    assert served.stats["most_asked"] == 1
    reported = read_rows(run_folder(llmbatch) / "batches.jsonl")
    assert {line["limit"] for line in reported if line["event"] == "given_up"} == {5000}
    assert max(line["tokens"] for line in reported[-8:] if line["event"] == "prepared") <= 5000


def test_a_full_limit_is_left_for_later(llmbatch: Program, endpoint: StartEndpoint) -> None:
    served = endpoint("--fault", "batch_token_limit=100%")
    batched(llmbatch, served, rows=5)
    done = batched(llmbatch, served)
    assert done.code == 7
    assert spent(llmbatch)["requests"] == 0


def test_a_refused_file_stops_the_run_and_costs_nothing(llmbatch: Program, endpoint: StartEndpoint) -> None:
    served = endpoint("--fault", "batch_invalid@1")
    batched(llmbatch, served, rows=5)
    done = batched(llmbatch, served)
    assert done.code == 4
    assert "invalid_json_line" in done.json["reason"]
    assert "line 1 of the request file" in done.json["reason"]
    assert served.requests == 0
    assert batched(llmbatch, served, "--batch-wait", "1h").code == 0


def test_the_run_s_cost_limit_counts_batches_until_they_are_collected(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    served = endpoint()
    done = batched(llmbatch, served, "--max-cost", "0.0008")
    assert done.code == 5
    assert done.json["at_provider"]["rows"] == 6
    done = batched(llmbatch, served, "--max-cost", "0.0008")
    assert done.code == 5
    assert done.json["at_provider"]["rows"] > 0
    assert done.json["usage"]["cost_usd"] + done.json["at_provider"]["at_most_usd"] <= 0.0008
    assert served.stats["most_asked"] == 1


def test_the_daily_budget_counts_batches_across_sessions_and_runs(llmbatch: Program, endpoint: StartEndpoint) -> None:
    served = endpoint()
    store = ("--spend-store", "spend.db", "--daily-budget", "0.001")
    assert batched(llmbatch, served, *store).code == 5
    write_rows(llmbatch.folder / "others.jsonl", documents(40))
    others = llmbatch("classify", "others.jsonl", "--json", "--base-url", served.url, *store)
    assert others.code == 5
    assert others.json["rows"]["ok"] <= 5, "batches at the provider count against the budget"
    reported = llmbatch("spend", "--spend-store", "spend.db")
    assert "has a batch at the provider" in " ".join(reported.out.split())
    collected = batched(llmbatch, served, *store)
    assert collected.json["rows"]["ok"] > 0
    total = llmbatch("spend", "--spend-store", "spend.db", "--json").json["total"]["cost_usd"]
    both = collected.json["usage"]["cost_usd"] + others.json["usage"]["cost_usd"]
    assert total == pytest.approx(both)
    assert total <= 0.001


def test_cancelled_parts_cost_what_was_answered_and_other_rows_are_pending(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    served = endpoint("--batch-delay", "1000")
    batched(llmbatch, served)
    cancelled = llmbatch("batch", "cancel", "docs.llmbatch", "--base-url", served.url)
    assert cancelled.code == 0, cancelled.err
    assert "part 1: cancelling" in cancelled.err
    listed = llmbatch("batch", "list", "docs.llmbatch", "--json").json["parts"]
    assert [part["rows"] for part in listed] == [5, 5, 2]
    done = batched(llmbatch, served)
    assert (done.code, done.json["at_provider"]["parts"]) == (7, 3)
    assert steps(llmbatch).count("collected") == 3
    assert done.json["usage"]["possibly_billed_requests"] == 0
    assert served.requests == 0


def test_other_commands_are_refused_until_batches_are_collected(llmbatch: Program, endpoint: StartEndpoint) -> None:
    served = endpoint()
    batched(llmbatch, served)
    single = llmbatch("classify", "docs.jsonl", "--base-url", served.url)
    assert single.code == 2
    assert "are already in batches at the provider" in single.err
    assert llmbatch("retry", "docs.llmbatch", "--base-url", served.url).code == 2
    changed = batched(llmbatch, served, "--model", "gpt-4.1-mini")
    assert changed.code == 2
    assert "with another prompt, labels or model" in changed.err
    elsewhere = batched(llmbatch, endpoint())
    assert elsewhere.code == 2
    assert "with another --base-url" in elsewhere.err
    assert served.requests == ROWS
    assert batched(llmbatch, served).code == 0


@pytest.mark.parametrize(
    "options",
    [
        ("--service-tier", "flex"),
        ("--candidates", "2"),
    ],
)
def test_options_that_batches_do_not_support_are_refused_before_anything_is_sent(
    llmbatch: Program, endpoint: StartEndpoint, options: tuple[str, ...]
) -> None:
    served = endpoint()
    done = batched(llmbatch, served, *options)
    assert done.code == 2
    assert "--batch cannot be combined with" in done.err
    assert served.stats["files"] == 0
    assert not run_folder(llmbatch).exists()


def test_azures_batch_api_is_supported(llmbatch: Program, endpoint: StartEndpoint) -> None:
    served = endpoint()
    write_rows(llmbatch.folder / "docs.jsonl", documents(5))
    command = ("classify", "docs.jsonl", "--json", "--batch", "--batch-wait", "1h", "--base-url")
    azure = (served.url.removesuffix("/v1"), "--api-version", "2025-04-01-preview")
    done = llmbatch(*command, *azure, "--model", "gpt-4o-mini", **IMPATIENT, AZURE_OPENAI_API_KEY="k")
    assert done.code == 0, done.err
    assert done.json["rows"]["ok"] == 5


def test_a_refused_key_stops_the_run_with_nothing_sent(llmbatch: Program, endpoint: StartEndpoint) -> None:
    served = endpoint("--api-key", "right")
    done = batched(llmbatch, served, OPENAI_API_KEY="wrong")
    assert done.code == 4
    assert "credentials" in done.json["reason"]
    assert batched(llmbatch, served, "--batch-wait", "1h", OPENAI_API_KEY="right").code == 0
    assert served.stats["batches"] == 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_wait_and_leaves_the_parts_at_the_provider(
    llmbatch: Program, endpoint: StartEndpoint, number: signal.Signals
) -> None:
    served = endpoint("--batch-delay", "100000")
    write_rows(llmbatch.folder / "docs.jsonl", documents(ROWS))
    command = ("classify", "docs.jsonl", "--base-url", served.url, "--batch", "--yes", "--batch-wait", "1h")
    process = llmbatch.start(*command, LLMBATCH_SPEND_STORE="spend.db")
    wait_until(lambda: "created" in steps(llmbatch), process)
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert llmbatch("show", "docs.llmbatch", "--json").json["at_provider"]["rows"] == ROWS


def test_batches_can_be_rehearsed_offline_in_one_command(llmbatch: Program) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", documents(ROWS))
    command = ("classify", "docs.jsonl", "--json", "--offline", "--batch", "--yes", "--batch-size", "5")
    dies: dict[str, Any] = {DIES_AT: "60"}
    killed = llmbatch(*command, **IMPATIENT, **dies)
    assert killed.code == -signal.SIGKILL
    done = llmbatch(*command, "--fault", "batch_expire@1", **IMPATIENT)
    assert done.code == 0, done.err
    assert (done.json["rows"]["ok"], done.json["usage"]["possibly_billed_requests"]) == (ROWS, 0)
    assert llmbatch("spend", "--offline", "--json", **IMPATIENT).json["notes"] == []
    assert llmbatch("spend", "--json", **IMPATIENT).json["total"]["cost_usd"] == 0
