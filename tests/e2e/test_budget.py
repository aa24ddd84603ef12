"""`--max-cost` is a hard limit: at any concurrency, with lost answers, and after a resume."""

from pathlib import Path

import pytest

from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Endpoint, Program, accounted, documents, write_rows
from tests.ledgers import ledger_rows

CAP_USD = 0.004
PRICE = "1,1,5"  # cached tokens cost as much as others: the endpoint's counts alone give the bill


@pytest.mark.parametrize("faults", [(), ("--fault", "timeout=10%")])
def test_a_run_never_costs_more_than_its_limit(
    llmbatch: Program, endpoint: StartEndpoint, faults: tuple[str, ...]
) -> None:
    server = endpoint(*faults)
    write_rows(llmbatch.folder / "docs.jsonl", documents(200))
    command = ("classify", "docs.jsonl", "--base-url", server.url, "--timeout", "0.5", "--json", "--max-cost")
    first = llmbatch(*command, str(CAP_USD))
    usage = first.json["usage"]
    assert first.code == 5, first.err
    assert usage["cost_usd"] + usage["possibly_billed_usd"] <= CAP_USD
    assert usage["cost_usd"] + usage["possibly_billed_usd"] > CAP_USD * 0.8, "most of it could be used"
    assert first.json["rows"]["undone"] > 0
    sent = server.requests
    assert llmbatch(*command, str(CAP_USD)).code == 5
    assert server.requests == sent, "the limit holds across sessions"
    if not faults:
        assert llmbatch(*command, "1").code == 0
        assert accounted(llmbatch.folder / "docs.llmbatch") == list(range(200))


def test_a_limit_needs_a_price(llmbatch: Program, endpoint: StartEndpoint) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", documents(3))
    command = ("classify", "docs.jsonl", "--model", "mine", "--max-cost", "1", "--base-url")
    refused = llmbatch(*command, "https://models.invalid/v1", OPENAI_API_KEY="sk-test")
    assert refused.code == 2
    assert "--price" in refused.err
    assert llmbatch(*command, endpoint().url, "--price", "1,0.1,2", "--json").json["usage"]["cost_usd"] > 0


UNPRICED = [
    ("classify", "docs.jsonl", "--model", "mine"),
    ("classify", "docs.jsonl", "--model", "gpt-6-luna", "--canary-model", "mine", "--canary-share", "10%"),
    ("classify", "docs.jsonl", "--model", "gpt-6-luna", "--escalate-to", "mine", "--review-below", "0.9"),
    ("compare", "docs.jsonl", "--model", "gpt-6-luna", "--model", "mine"),
    ("retry", "labelled.llmbatch", "--review", "--model", "mine"),
]


@pytest.mark.parametrize("limit", ["--max-cost", "--daily-budget"])
def test_a_limit_that_cannot_be_enforced_for_one_model_sends_nothing_to_any(
    llmbatch: Program, endpoint: StartEndpoint, limit: str
) -> None:
    server = endpoint()
    here = Program(llmbatch.folder, {"OPENAI_BASE_URL": server.url, "LLMBATCH_SPEND_STORE": "spend"})
    write_rows(here.folder / "docs.jsonl", documents(6))
    here("classify", "docs.jsonl", "--out", "labelled.llmbatch", "--review-below", "1")
    sent = server.requests
    for command in UNPRICED:
        refused = here(*command, limit, "1")
        assert (refused.code, server.requests) == (2, sent), refused.err
        assert f"{limit} cannot be enforced: the price of mine is unknown" in refused.err
        assert "0,0,0" in refused.err
    assert here(*UNPRICED[-1], limit, "1", "--price", "0,0,0").code == 0


def test_a_limit_of_zero_sends_nothing(llmbatch: Program, endpoint: StartEndpoint) -> None:
    server = endpoint()
    write_rows(llmbatch.folder / "docs.jsonl", documents(3))
    done = llmbatch("classify", "docs.jsonl", "--base-url", server.url, "--max-cost", "0")
    assert (done.code, server.requests) == (5, 0)


def billed_usd(server: Endpoint) -> float:
    """What the endpoint would bill for all its answers."""
    stats = server.stats
    return float(stats["prompt_tokens"] * 1 + stats["completion_tokens"] * 5) / 1_000_000


@pytest.mark.parametrize("kind", ["hidden_output", "total_usage"])
def test_output_visible_only_in_the_total_counts_against_the_limit(
    llmbatch: Program, endpoint: StartEndpoint, kind: str
) -> None:
    server = endpoint("--fault", f"{kind}=100%")
    write_rows(llmbatch.folder / "docs.jsonl", documents(60))
    command = ("classify", "docs.jsonl", "--base-url", server.url, "--json", "--price", PRICE, "--max-cost", "0.3")
    done = llmbatch(*command)
    usage = done.json["usage"]
    assert done.code == 5, done.err
    assert billed_usd(server) <= usage["cost_usd"] + usage["possibly_billed_usd"] <= 0.3
    assert usage["cost_usd"] > 0.15, "most of it could be used"
    assert done.json["flags"]["usage_contradictory"] == done.json["rows"]["ok"]
    assert done.json["flags"]["cost_above_bound"] == 1, "then as much is reserved for each"
    llmbatch(*command)
    assert billed_usd(server) <= 0.3, "the next session uses what the first one learned"


def test_an_absurd_token_count_is_bounded_by_the_size_of_the_request(
    llmbatch: Program, endpoint: StartEndpoint, tmp_path: Path
) -> None:
    llmbatch = Program(tmp_path, {"LLMBATCH_SPEND_STORE": str(tmp_path / "spend")})
    write_rows(tmp_path / "docs.jsonl", documents(20))
    server = endpoint("--fault", "absurd_usage@2")
    done = llmbatch("classify", "docs.jsonl", "--base-url", server.url, "--max-cost", "0.1", "--json")
    assert done.code == 0, done.err
    usage, lines = done.json["usage"], ledger_rows(tmp_path / "docs.llmbatch" / "ledger.jsonl")
    assert (done.json["flags"], usage["possibly_billed_requests"]) == ({"usage_implausible": 1}, 1)
    assert 0 < usage["possibly_billed_usd"] < 0.01
    assert max(line.get("output_tokens", 0) for line in lines) < 100
    assert llmbatch("spend", "--json").json["total"]["possibly_billed_requests"] == 1
    assert llmbatch("classify", "docs.jsonl", "--base-url", server.url, "--daily-budget", "1").code == 0
