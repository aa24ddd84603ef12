"""`--max-cost` is a hard limit: at any concurrency, with answers that never come, and after a resume."""

import pytest

from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Program, accounted, documents, write_rows

CAP_USD = 0.004


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


def test_a_limit_of_nothing_sends_nothing(llmbatch: Program, endpoint: StartEndpoint) -> None:
    server = endpoint()
    write_rows(llmbatch.folder / "docs.jsonl", documents(3))
    done = llmbatch("classify", "docs.jsonl", "--base-url", server.url, "--max-cost", "0")
    assert (done.code, server.requests) == (5, 0)
