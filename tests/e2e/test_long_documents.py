"""Documents that are too long cost nothing, or are truncated as the user says and still distinguished."""

from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Program, documents, views, write_rows
from tests.ledgers import ledger_rows

LONG = "The court heard the case. " * 200


def test_long_documents_fail_unsent_and_are_labelled_once_truncation_is_allowed(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    server = endpoint()
    rows = [*documents(5), {"id": "long", "text": LONG}, {"id": "again", "text": LONG}]
    write_rows(llmbatch.folder / "docs.jsonl", [*rows, b'{"id": "emoji", "text": "A contract \\ud83d"}'])
    run = llmbatch.folder / "docs.llmbatch"

    options = ("--base-url", server.url, "--json")
    refused = llmbatch("classify", "docs.jsonl", "--review-below", "0", "--max-doc-tokens", "100", *options)
    assert (refused.code, server.requests, refused.json["failures"]) == (3, 6, {"too_long": 2})
    lines = {line["id"]: line for line in ledger_rows(run / "ledger.jsonl")}
    assert (lines["long"].get("attempts"), lines["long"]["cost_usd"]) == (None, 0)
    assert "1,201 tokens, more than the 100 that --max-doc-tokens" in lines["long"]["error"]["message"]
    assert lines["emoji"]["flags"] == ["surrogates_replaced"]

    cut = llmbatch("retry", "docs.llmbatch", "--only", "too_long", "--truncate", "head-tail", *options)
    assert (cut.code, server.requests) == (0, 7), "rows truncated to the same text are sent once"
    assert cut.json["flags"] == {"surrogates_replaced": 1, "truncated": 2}
    assert [row["id"] for row in views(run)["results"]][5:] == ["long", "again", "emoji"]
    lines = {line["id"]: line for line in ledger_rows(run / "ledger.jsonl")}
    assert [lines[name]["flags"] for name in ("long", "again")] == [["truncated"]] * 2
    assert (lines["long"].get("source", "api"), lines["again"]["source"]) == ("api", "reused")
    assert lines["long"]["input_tokens"] < lines["d-0"]["input_tokens"] + 100
