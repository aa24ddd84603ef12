"""Faults of files and batches that single requests do not have: each is survived, counted and reported."""

import json
import os
import pty
import tempfile
from contextlib import suppress
from typing import Any

from openai import OpenAI

from tests.e2e.batches import IMPATIENT, ROWS, batched, ledger, run_folder, spent, steps
from tests.e2e.conftest import StartEndpoint
from tests.e2e.forked import CONSTANTS, SURROUNDINGS
from tests.e2e.program import Program, documents, read_rows, write_rows


def test_a_file_that_is_too_large_is_halved_until_it_is_accepted(llmbatch: Program, endpoint: StartEndpoint) -> None:
    served = endpoint("--fault", "batch_upload_too_large[bytes=20000]=100%")
    done = batched(llmbatch, served, "--batch-size", "12")
    assert (done.code, done.json["at_provider"]["rows"]) == (7, ROWS), done.err
    assert "413" in done.err
    assert batched(llmbatch, served).code == 0
    assert (served.requests, served.stats["most_asked"]) == (ROWS, 1)
    sizes = [line["bytes"] for line in read_rows(run_folder(llmbatch) / "batches.jsonl") if line["event"] == "prepared"]
    assert sizes[0] > 20_000 > max(sizes[-2:])


def test_other_endpoints_wordings_are_understood(llmbatch: Program, endpoint: StartEndpoint) -> None:
    served = endpoint(
        "--fault", "batch_other_words=100%", "--fault", "batch_create_lost@1", "--fault", "batch_cancel@2"
    )
    done = batched(llmbatch, served, "--batch-wait", "1h")
    assert done.code == 0, done.err
    assert (served.stats["batches"], served.stats["most_asked"]) == (4, 1), (
        "one lost batch was found, one was cancelled"
    )


def test_an_answer_missing_from_an_expired_batch_is_counted(llmbatch: Program, endpoint: StartEndpoint) -> None:
    served = endpoint("--fault", "batch_expire@1", "--fault", "batch_line_lost@1")
    done = batched(llmbatch, served, "--batch-wait", "1h", "--batch-size", "12")
    assert done.code == 0, done.err
    assert done.json["usage"]["possibly_billed_requests"] == 1
    assert spent(llmbatch)["possibly_billed_requests"] == 1
    assert served.requests == ROWS + 1


def test_an_unreadable_answer_is_possibly_billed_and_its_row_is_sent_again(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    done = batched(llmbatch, endpoint("--fault", "not_json@2"), "--batch-wait", "1h")
    assert done.code == 0, done.err
    assert (done.json["rows"]["ok"], done.json["usage"]["possibly_billed_requests"]) == (ROWS, 1)


def test_a_refused_parameter_is_left_out_of_the_next_part(llmbatch: Program, endpoint: StartEndpoint) -> None:
    served = endpoint("--refuse", "prompt_cache_key")
    done = batched(llmbatch, served, "--batch-wait", "1h")
    assert done.code == 0, done.err
    assert (done.json["rows"]["ok"], done.json["rows"]["failed"]) == (ROWS, 0)
    assert "prompt_cache_key" in done.err
    again = batched(llmbatch, served, "--batch-wait", "1h", "--task", "default", "--out", "other.llmbatch")
    assert again.code == 0


def test_an_exhausted_quota_stops_the_run_and_fails_no_row(llmbatch: Program, endpoint: StartEndpoint) -> None:
    served = endpoint("--fault", "quota@1-5")
    done = batched(llmbatch, served, "--batch-wait", "1h", "--batch-size", "12", rows=5)
    assert (done.code, done.json["rows"]["undone"], done.json["rows"]["failed"]) == (4, 5, 0)
    assert ledger(llmbatch) == []
    assert batched(llmbatch, served, "--batch-wait", "1h").code == 0


def test_a_vanished_batch_does_not_block_collecting_the_others(llmbatch: Program, endpoint: StartEndpoint) -> None:
    served = endpoint("--fault", "batch_vanished@1")
    batched(llmbatch, served)
    done = batched(llmbatch, served)
    assert (done.code, done.json["rows"]["ok"], done.json["at_provider"]["parts"]) == (4, ROWS - 5, 1)


def test_a_part_whose_creation_is_refused_does_not_block_collecting_the_others(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    served = endpoint("--fault", "batch_file_not_found@2-4")
    assert batched(llmbatch, served).code == 4
    done = batched(llmbatch, served)
    assert (done.code, done.json["rows"]["ok"]) == (7, 5)
    assert batched(llmbatch, served).code == 0
    assert served.stats["most_asked"] == 1


def test_an_endpoint_that_never_makes_a_batch_ends_the_command(llmbatch: Program, endpoint: StartEndpoint) -> None:
    served = endpoint("--fault", "batch_create_error=100%", "--fault", "batch_vanished=100%")
    done = batched(llmbatch, served, "--batch-wait", "1h", rows=5)
    assert done.code == 7
    assert "3 attempts had no effect" in done.json["reason"]


def test_a_limit_that_stays_full_is_waited_for(llmbatch: Program, endpoint: StartEndpoint) -> None:
    served = endpoint("--fault", "batch_token_limit@1-5")
    done = batched(llmbatch, served, "--batch-wait", "1h", rows=5)
    assert done.code == 0, done.err
    assert (served.stats["batches"], served.requests) == (6, 5)


def test_a_row_with_more_tokens_than_may_be_enqueued_is_reported(llmbatch: Program, endpoint: StartEndpoint) -> None:
    done = batched(llmbatch, endpoint(), "--batch-tokens", "500", rows=3)
    assert done.code == 4
    assert "prompt tokens, and 500 may be enqueued" in done.json["reason"]


def test_a_full_disk_during_a_download_leaves_all_answers_at_the_provider(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    served = endpoint()
    assert batched(llmbatch, served, "--batch-size", "200", rows=200).code == 7
    small: dict[str, Any] = {SURROUNDINGS: json.dumps({"limits": {"FSIZE": 60_000}})}
    done = batched(llmbatch, served, **small)
    assert done.code == 8, done.err
    assert "collected" not in steps(llmbatch)
    assert batched(llmbatch, served).json["rows"]["ok"] == 200
    assert served.stats["most_asked"] == 1


def test_batches_may_be_listed_oldest_first_and_in_many_pages(llmbatch: Program, endpoint: StartEndpoint) -> None:
    served = endpoint("--fault", "batch_create_lost@121", "--fault", "batch_oldest_first=100%")
    with OpenAI(base_url=served.url, api_key="k") as client:
        line = b'{"custom_id":"x","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[]}}'
        file = client.files.create(file=("x.jsonl", line), purpose="batch")
        for _ in range(120):
            client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
    write_rows(llmbatch.folder / "docs.jsonl", documents(3))
    assert batched(llmbatch, served, rows=3).code == 7
    assert served.stats["batches"] == 121


def test_a_batch_without_progress_is_reported_once(llmbatch: Program, endpoint: StartEndpoint) -> None:
    served = endpoint("--fault", "batch_validating@1")
    batched(llmbatch, served, rows=3)
    longest = {"llmbatch.session.batches.collecting._LONGEST_STILL_S": {"validating": 0}}
    still: dict[str, Any] = {CONSTANTS: json.dumps(json.loads(IMPATIENT[CONSTANTS]) | longest)}
    reported = batched(llmbatch, served, **still)
    assert "part 1: validating for 0.0 h, 0 of 3 rows answered, no progress" in reported.err
    assert "llmbatch batch cancel docs.llmbatch 1" in reported.err
    assert "no progress" not in batched(llmbatch, served, **still).err


def test_the_provider_s_own_total_is_kept_next_to_ours(llmbatch: Program, endpoint: StartEndpoint) -> None:
    served = endpoint("--fault", "batch_usage_more@2")
    done = batched(llmbatch, served, "--batch-wait", "1h")
    assert done.err.count("check the bill") == 1
    first, second, _ = llmbatch("batch", "list", "docs.llmbatch", "--json").json["parts"]
    assert first["usage"] == first["provider_usage"]
    assert second["usage"]["output"] < second["provider_usage"]["output"]


def test_a_batch_of_a_few_rows_is_confirmed_on_a_terminal_and_only_warned_about_elsewhere(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    served = endpoint()
    write_rows(llmbatch.folder / "docs.jsonl", documents(3))
    command = ("classify", "docs.jsonl", "--base-url", served.url, "--batch", "--model", "gpt-4o-mini")
    for typed, code, files in ((b"n\n", 5, 0), (b"y\n", 7, 1)):
        terminal, terminal_end = pty.openpty()
        os.write(terminal, typed)
        with tempfile.TemporaryFile() as out:
            assert llmbatch.onto((terminal_end, out.fileno(), terminal_end), *command, **IMPATIENT) == code
        os.close(terminal_end)
        shown = b""
        with suppress(OSError):  # Linux raises it once the other side is closed
            while block := os.read(terminal, 4096):  # under load, the text comes in parts
                shown += block
        assert b"3 rows to send: single requests take a minute or two" in shown
        os.close(terminal)
        assert served.stats["files"] == files
    assert "3 rows: single requests take" in llmbatch(*command, "--out", "other", **IMPATIENT).err


def test_a_file_truncated_by_a_proxy_is_fetched_again(llmbatch: Program, endpoint: StartEndpoint) -> None:
    served = endpoint("--fault", "batch_content_short@1,3", "--fault", "batch_expire@2")
    done = batched(llmbatch, served, "--batch-wait", "1h")
    assert done.code == 0, done.err
    assert (served.stats["most_asked"], done.json["usage"]["possibly_billed_requests"]) == (1, 0)
    assert "ends mid-line" in done.err
