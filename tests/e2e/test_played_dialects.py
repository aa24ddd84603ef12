"""A run against each provider that the offline endpoint simulates: every row gets its label."""

import pytest

from llmbatch.simulate.dialects import dialect_names
from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Program, documents, write_rows
from tests.ledgers import ledger_rows


@pytest.mark.parametrize("name", dialect_names())
def test_a_run_labels_its_rows_at_each_provider(llmbatch: Program, endpoint: StartEndpoint, name: str) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", documents(5))
    served = endpoint("--dialect", name, "--fault", "rate_limit[retry_after=0.01]@2", "--fault", "overloaded@4")
    done = llmbatch("classify", "docs.jsonl", "--base-url", served.url, "--confidence", "logprobs", "--max-cost", "1",
                    "--price", "1,1,1")  # fmt: skip
    assert done.code == 0, done.err
    ledger = ledger_rows(llmbatch.folder / "docs.llmbatch" / "ledger.jsonl")
    assert len(ledger) == 5
    assert all(line["category"] in ("technical", "business", "legal") for line in ledger)
    assert all(line["input_tokens"] > 1_000 for line in ledger)


def test_the_only_listed_model_is_used_within_its_window(llmbatch: Program, endpoint: StartEndpoint) -> None:
    rows = documents(3)
    rows[2]["text"] = "The server crashed again. " * 4_000
    write_rows(llmbatch.folder / "docs.jsonl", rows)
    served = endpoint("--dialect", "vllm")
    done = llmbatch("classify", "docs.jsonl", "--base-url", served.url, "--truncate", "head")
    assert done.code == 0, done.err
    ledger = ledger_rows(llmbatch.folder / "docs.llmbatch" / "ledger.jsonl")
    assert {line["model"] for line in ledger} == {"Qwen/Qwen3-8B"}
    assert served.stats["statuses"] == {"200": 3}


@pytest.mark.parametrize(("name", "code"), [("gemini", 4), ("openrouter", 4), ("minimax", 4), ("llama.cpp", 4)])
@pytest.mark.parametrize("fault", ["auth", "quota"])
def test_a_fault_that_stops_a_run_stops_it_in_any_wording(
    llmbatch: Program, endpoint: StartEndpoint, name: str, code: int, fault: str
) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", documents(5))
    served = endpoint("--dialect", name, "--fault", f"{fault}=100%")
    assert llmbatch("classify", "docs.jsonl", "--base-url", served.url).code == code
    assert served.requests == 1


@pytest.mark.parametrize("fault", ["thinking", "reasoning_content", "thinking_parts", "answer_in_thinking",
                                   "finish_upper",
        "limits_fixed_window",
        "limits_unix_seconds",
        "limits_unix_milliseconds",
        "limits_dates",
        "limits_day",
        "limits_second",
        "limits_minute", "finish_empty", "eos_token"])  # fmt: skip
def test_named_provider_behaviours_leave_every_row_labelled(
    llmbatch: Program, endpoint: StartEndpoint, fault: str
) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", documents(3))
    served = endpoint("--fault", f"{fault}=100%")
    done = llmbatch("classify", "docs.jsonl", "--base-url", served.url)
    assert done.code == 0, done.err
