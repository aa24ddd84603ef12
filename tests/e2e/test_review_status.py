"""Whether a row needs review is decided when it is shown; the ledger only says ok or failed."""

import asyncio
import json
from pathlib import Path

from llmbatch import Labeler
from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Program, documents, views, write_rows
from tests.sealing import rewrite


def statuses(ledger: Path) -> set[str]:
    return {json.loads(line)["status"] for line in ledger.read_bytes().splitlines()}


def test_the_threshold_splits_the_files_and_not_the_ledger(llmbatch: Program, endpoint: StartEndpoint) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", documents(6))
    server = endpoint()
    classify = ("classify", "docs.jsonl", "--base-url", server.url)
    first = llmbatch(*classify, "--review-below", "1", "--json")
    run = llmbatch.folder / "docs.llmbatch"
    assert (first.json["rows"]["review"], len(views(run)["review"])) == (6, 6)
    assert statuses(run / "ledger.jsonl") == {"ok"}
    asked = server.requests
    assert llmbatch(*classify, "--review-below", "0", "--json").json["rows"]["ok"] == 6
    assert (len(views(run)["results"]), server.requests) == (6, asked)


def test_an_old_ledger_that_says_review_is_still_read(llmbatch: Program, endpoint: StartEndpoint) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", documents(4))
    server = endpoint()
    classify = ("classify", "docs.jsonl", "--base-url", server.url)
    assert llmbatch(*classify, "--review-below", "0").code == 0
    run = llmbatch.folder / "docs.llmbatch"
    rewrite(run / "ledger.jsonl", lambda line: {**line, "status": "review"})
    assert llmbatch("show", run, "--json").json["rows"]["ok"] == 4, "its confidence decides"
    asked = server.requests
    assert llmbatch(*classify, "--review-below", "1", "--json").json["rows"]["review"] == 4
    assert llmbatch("retry", run, "--review", "--base-url", server.url).code == 0
    assert server.requests > asked


def test_a_labeler_says_what_needs_review(endpoint: StartEndpoint) -> None:
    async def status(review_below: float) -> str:
        async with Labeler(base_url=endpoint().url, review_below=review_below) as labeler:
            return (await labeler.label("The invoice is overdue.")).status

    assert [asyncio.run(status(threshold)) for threshold in (0.0, 1.0)] == ["ok", "review"]
