"""When rows of a batch run are sent another way: by price, by fallback, by exported files, by a stronger model."""

import json
from pathlib import Path

import pytest
from openai import OpenAI

from tests.e2e.batches import IMPATIENT, ROWS, batched, ledger, spent
from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Program, wait_until


def test_if_the_first_part_shows_that_batches_cost_more_the_rest_is_not_submitted(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    served = endpoint()
    first = batched(llmbatch, served, "--no-yes")
    assert (first.code, first.json["at_provider"]["rows"]) == (7, 3)
    assert batched(llmbatch, served, "--no-yes", "--batch-wait", "1h").code == 5
    again = batched(llmbatch, served, "--no-yes")
    assert (again.code, again.json["at_provider"]["rows"], again.json["rows"]["ok"]) == (5, 0, 3)
    assert "batches cost more here: $0.0824 for 1,000 rows, 0% of their input cached in 3 rows" in again.json["reason"]
    assert "without --batch, " in again.json["reason"]
    assert "with --service-tier flex" in again.json["reason"]
    assert batched(llmbatch, served, "--batch-wait", "1h").json["rows"]["ok"] == ROWS, "--yes submits the rest anyway"
    assert served.stats["cache_write_tokens"] == 0


def test_if_batches_hit_the_cache_the_rest_follows_the_first_part(llmbatch: Program, endpoint: StartEndpoint) -> None:
    served = endpoint("--batch-cache")
    done = batched(llmbatch, served, "--no-yes", "--batch-wait", "1h")
    assert done.code == 0, done.err
    assert "3 rows" in done.err
    assert done.json["usage"]["cached_share"] > 0.8


def test_if_batches_are_cheaper_without_the_cache_all_parts_are_submitted_at_once(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    done = batched(llmbatch, endpoint(), "--no-yes", "--model", "gpt-4o-mini")
    assert (done.code, done.json["at_provider"]["parts"]) == (7, 3)


POOL = """name = "papers"
instructions = "Label papers."
labels = [{name = "technical", description = "Software, servers."}, {name = "business", description = "Revenue."}]
pool = [
PLACEHOLDER
]
"""


def test_the_pool_is_left_out_if_it_cannot_be_cached_and_keys_are_the_same_either_way(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    examples = "\n".join(
        f'{{text = "{"The server crashed again and again. " * 9}{n}", label = "technical"}},' for n in range(16)
    )
    (llmbatch.folder / "papers.toml").write_text(POOL.replace("PLACEHOLDER", examples))
    served = endpoint()
    assert batched(llmbatch, served, "--task", "papers.toml", "--batch-wait", "1h").code == 0
    single = ("classify", "docs.jsonl", "--json", "--base-url", served.url, "--task", "papers.toml")
    again = llmbatch(*single, **IMPATIENT)
    assert (again.code, again.json["session"]["requests"], again.json["prefix"]["pool_examples"]) == (0, 0, 0)
    assert llmbatch(*single, "--out", "alone", **IMPATIENT).json["prefix"]["pool_examples"] > 0


@pytest.mark.parametrize("way", ["sync", "flex"])
def test_rows_that_keep_expiring_are_sent_as_single_requests(
    llmbatch: Program, endpoint: StartEndpoint, way: str
) -> None:
    served = endpoint("--fault", "batch_expire[done=0.4]@1+")
    fallback = ("--batch-fallback", way, "--batch-patience", "2", "--batch-wait", "1h", "--max-cost", "0.01")
    done = batched(llmbatch, served, *fallback)
    assert done.code == 0, done.err
    assert "expired in 2 batches each: now sent as single requests" in done.err
    assert (done.json["session"]["answered"], done.json["session"]["skipped"]) == (ROWS, 0)
    tiers = done.json["service_tiers"]
    assert tiers["batch"] + tiers["flex" if way == "flex" else "default"] == ROWS
    assert (served.stats["most_asked"], served.requests) == (1, ROWS)
    assert spent(llmbatch)["cost_usd"] == pytest.approx(done.json["usage"]["cost_usd"])


def test_the_fallback_respects_the_run_s_cost_limit(llmbatch: Program, endpoint: StartEndpoint) -> None:
    served = endpoint("--fault", "batch_expire[done=0]@1+")
    done = batched(llmbatch, served, "--batch-fallback", "sync", "--batch-wait", "1h", "--max-cost", "0.0007")
    assert done.code == 5
    assert done.json["usage"]["cost_usd"] <= 0.0007


def run_elsewhere(files: list[Path], url: str, results: Path) -> None:
    """Like `vllm run-batch`: send the request of each line, and write its answer as a line."""
    with OpenAI(base_url=url, api_key="k", max_retries=0) as client, results.open("w") as out:
        for line in (json.loads(line) for file in files for line in file.read_text().splitlines()):
            assert (line["method"], line["url"]) == ("POST", "/v1/chat/completions")
            answer = client.chat.completions.with_raw_response.create(**line["body"])
            response = {"status_code": 200, "request_id": "vllm-1", "body": json.loads(answer.text)}
            reported = {"id": "vllm-1", "custom_id": line["custom_id"], "response": response, "error": None}
            out.write(json.dumps(reported) + "\n")


def test_exported_request_files_run_elsewhere_and_their_results_are_imported(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    served = endpoint()
    done = batched(llmbatch, served, "--batch-export", "out")
    assert done.code == 7
    assert "12 rows in 3 parts are exported" in done.json["reason"]
    files = sorted((llmbatch.folder / "out").iterdir())
    assert len(files) == 3
    assert served.stats["files"] == 0
    run_elsewhere(files[:2], served.url, llmbatch.folder / "results.jsonl")
    done = batched(llmbatch, served, "--batch-import", "results.jsonl")
    assert (done.code, done.json["rows"]["ok"], done.json["at_provider"]["rows"]) == (7, 10, 2)
    again = batched(llmbatch, served, "--batch-import", "results.jsonl")
    assert again.code == 2
    assert "no line belongs to an open exported part" in again.err
    assert llmbatch("classify", "docs.jsonl", "--base-url", served.url).code == 2
    assert llmbatch("batch", "cancel", "docs.llmbatch", "--base-url", served.url, **IMPATIENT).code == 0
    done = batched(llmbatch, served, "--batch-wait", "1h")
    assert (done.code, done.json["rows"]["ok"], served.stats["most_asked"]) == (0, ROWS, 1)


def test_rows_missing_from_the_results_are_pending_and_a_missing_file_is_a_one_line_error(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    served = endpoint()
    batched(llmbatch, served, "--batch-export", "out", rows=5)
    (file,) = (llmbatch.folder / "out").iterdir()
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:3]))
    run_elsewhere([file], served.url, llmbatch.folder / "results.jsonl")
    assert batched(llmbatch, served, "--batch-import", "missing.jsonl").code == 2
    done = batched(llmbatch, served, "--batch-import", "results.jsonl")
    assert (done.code, done.json["rows"]["ok"], done.json["rows"]["undone"]) == (3, 3, 2)
    assert done.json["usage"]["possibly_billed_requests"] == 0


def test_an_unusable_answer_is_billed_and_its_row_is_re_asked(llmbatch: Program, endpoint: StartEndpoint) -> None:
    served = endpoint("--fault", "invented@2", "--fault", "truncated@4")
    done = batched(llmbatch, served, "--batch-wait", "1h")
    assert done.code == 0, done.err
    assert (served.requests, done.json["usage"]["requests"], done.json["session"]["answered"]) == (14, 14, ROWS)
    assert len([line for line in ledger(llmbatch) if line["status"] == "failed" and line["cost_usd"] > 0]) == 2
    assert spent(llmbatch)["cost_usd"] == pytest.approx(done.json["usage"]["cost_usd"])


def test_a_row_whose_answers_stay_unusable_fails_after_its_reasks(llmbatch: Program, endpoint: StartEndpoint) -> None:
    served = endpoint("--fault", "invented=100%")
    done = batched(llmbatch, served, "--batch-wait", "1h", "--reask", "2", rows=3)
    assert (done.code, served.requests, done.json["rows"]["failed"]) == (3, 9, 3)


def test_examples_chosen_for_a_document_precede_it(llmbatch: Program, endpoint: StartEndpoint) -> None:
    examples = "\n".join(f'{{text = "Example {n}: the server crashed.", label = "technical"}},' for n in range(4))
    (llmbatch.folder / "papers.toml").write_text(POOL.replace("PLACEHOLDER", examples))
    chosen = ("--task", "papers.toml", "--examples", "similar:2", "--batch-export", "out")
    done = batched(llmbatch, endpoint(), *chosen, rows=3)
    assert done.code == 7, done.err
    (file,) = (llmbatch.folder / "out").iterdir()
    lines = [json.loads(line)["body"]["messages"] for line in file.read_text().splitlines()]
    assert all("Example" in messages[-1]["content"] and "Example" not in messages[0]["content"] for messages in lines)


@pytest.mark.parametrize(
    ("asked", "arm"), [(("--escalate-to", "gpt-6-sol"), "escalation"), (("--jury", "gpt-6-sol"), "jury")]
)
def test_doubtful_rows_are_sent_as_single_requests_if_cheaper_or_for_a_jury(
    llmbatch: Program, endpoint: StartEndpoint, asked: tuple[str, ...], arm: str
) -> None:
    served = endpoint()
    options = (*asked, "--review-below", "100%", "--model", "gpt-4o-mini", "--no-yes")
    assert batched(llmbatch, served, *options).code == 7
    assert served.stats["batch_lines"] == served.requests, "no row is doubtful before it is answered"
    done = batched(llmbatch, served, *options)
    assert done.code == 0, done.err
    assert (served.stats["batch_lines"], served.requests) == (ROWS, 2 * ROWS)
    arms = [(line.get("arm", "control"), line.get("source", "api")) for line in ledger(llmbatch)]
    assert sorted(set(arms)) == [("control", "batch"), (arm, "api")]
    assert batched(llmbatch, served, *options).json["session"]["requests"] == 0
    assert spent(llmbatch)["cost_usd"] == pytest.approx(done.json["usage"]["cost_usd"])


def test_a_request_to_the_stronger_model_in_flight_at_a_kill_is_possibly_billed(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    hanging = endpoint("--fault", "timeout=100%", "--faulty-model", "gpt-6-sol")
    options = ("--escalate-to", "gpt-6-sol", "--review-below", "100%", "--model", "gpt-4o-mini")
    assert batched(llmbatch, hanging, *options, "--no-yes").code == 7
    command = ("classify", "docs.jsonl", "--base-url", hanging.url, "--batch", *options, "--timeout", "300")
    process = llmbatch.start(*command, LLMBATCH_SPEND_STORE="spend.db")
    wait_until(lambda: hanging.requests > ROWS, process)
    process.kill()
    process.communicate()
    done = batched(llmbatch, endpoint(), *options, "--no-yes")
    assert done.code == 0, done.err
    assert done.json["usage"]["possibly_billed_requests"] == hanging.requests - ROWS == 1
    total = spent(llmbatch)
    assert total["possibly_billed_requests"] == 1
    assert total["cost_usd"] == pytest.approx(done.json["usage"]["cost_usd"])
