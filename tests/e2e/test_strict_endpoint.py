"""Runs against an endpoint as strict as the real one: each refusal is handled, reported, and met only once."""

from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Program, documents, write_rows
from tests.ledgers import ledger_rows


def test_a_task_with_more_labels_than_a_strict_enum_allows_uses_json_mode(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    labels = "".join(f'[[labels]]\nname = "label {n}"\n' for n in range(1001))
    (llmbatch.folder / "many.toml").write_text(f'name = "many"\n{labels}')
    write_rows(llmbatch.folder / "docs.jsonl", documents(3))
    served = endpoint()
    done = llmbatch("classify", "docs.jsonl", "--task", "many.toml", "--base-url", served.url, "--candidates", "all")
    assert done.code == 0, done.err
    assert "at most 1000 enum values in total" in done.err
    assert "output=json_object" in done.err
    assert served.stats["statuses"] == {"200": 3, "400": 1}


def test_a_document_beyond_the_window_fails_alone_and_is_truncated_if_requested(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    rows = documents(4)
    rows[1]["text"] = "The server crashed again. " * 500
    write_rows(llmbatch.folder / "docs.jsonl", rows)
    asked = ("classify", "docs.jsonl", "--base-url", endpoint("--window", "3000").url)
    assert llmbatch(*asked, "--concurrency", "1").code == 3
    ledger = ledger_rows(llmbatch.folder / "docs.llmbatch" / "ledger.jsonl")
    assert [line["error"]["kind"] for line in ledger if line["status"] == "failed"] == ["too_long"]
    assert llmbatch(*asked, "--truncate", "head").code == 0
