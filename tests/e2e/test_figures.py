"""Each figure says what it counts: this session or all, the rows sent or all rows."""

import signal
from typing import Any

import pytest

from llmbatch.engine.sending import Sending
from llmbatch.observe.observer import Observer
from llmbatch.observe.progress import Progress
from llmbatch.runs.options import RunOptions
from llmbatch.session.run import classify_run
from llmbatch.spend.options import BudgetOptions
from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Program, documents, views, wait_until, write_rows
from tests.ledgers import ledger_rows

PRICE = ("--price", "1,0.1,2", "--concurrency", "1")


def test_cost_per_row_counts_only_the_rows_paid_for(llmbatch: Program, endpoint: StartEndpoint) -> None:
    server = endpoint()
    write_rows(llmbatch.folder / "docs.jsonl", documents(20))
    command = ("classify", "docs.jsonl", "--base-url", server.url, *PRICE)
    first = llmbatch(*command, "--json").json
    write_rows(llmbatch.folder / "docs.jsonl", documents(2))
    second = llmbatch(*command, "--reasoning", "--json")
    usage, session = second.json["usage"], second.json["session"]
    assert session["labelled"] == 2
    assert session["cost_per_1000_rows_usd"] == pytest.approx(session["cost_usd"] / 2 * 1000)
    assert usage["cost_usd"] == pytest.approx(first["usage"]["cost_usd"] + session["cost_usd"])
    assert usage["cost_per_1000_rows_usd"] == pytest.approx(usage["cost_usd"] / 22 * 1000)
    assert " in this session (" in second.err
    assert " in all sessions" in second.err
    assert llmbatch("show", "docs.llmbatch", "--json").json["usage"] == usage


def test_a_retry_that_leaves_pending_rows_is_incomplete(llmbatch: Program, endpoint: StartEndpoint) -> None:
    server = endpoint("--fault", "refusal@2")
    write_rows(llmbatch.folder / "docs.jsonl", documents(10))
    assert llmbatch("classify", "docs.jsonl", "--base-url", server.url, *PRICE).code == 3
    write_rows(llmbatch.folder / "docs.jsonl", documents(30))
    done = llmbatch("retry", "docs.llmbatch", "--base-url", server.url, "--json")
    assert (done.code, done.json["state"], done.json["rows"]["undone"]) == (3, "incomplete", 20)
    assert done.json["session"]["skipped"] == 9, "pending rows were not done before"
    assert "Finished" not in done.err
    assert "Incomplete" in done.err
    assert "pending 20" in " ".join(done.err.split())


def test_abandoned_rows_are_pending_and_not_failures(llmbatch: Program, endpoint: StartEndpoint) -> None:
    server = endpoint("--fault", "timeout@5+")
    write_rows(llmbatch.folder / "docs.jsonl", documents(20))
    process = llmbatch.start("classify", "docs.jsonl", "--base-url", server.url, "--concurrency", "4", "--grace", "0")
    wait_until(lambda: server.requests >= 8, process)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    run = llmbatch.folder / "docs.llmbatch"
    assert {line["error"]["kind"] for line in ledger_rows(run / "ledger.jsonl") if line.get("error")} == {"interrupted"}
    shown = llmbatch("show", "docs.llmbatch", "--json").json
    assert (shown["rows"]["failed"], shown["rows"]["undone"], shown["failures"]) == (0, 16, {})
    assert views(run)["failed"] == []
    assert shown["usage"]["possibly_billed_requests"] == 4, "their possible cost is recorded"


class _Watching(Observer):
    def __init__(self) -> None:
        self.seen: list[Progress] = []

    def update(self, progress: Progress) -> None:
        self.seen.append(progress)


def test_progress_of_a_resumed_run_starts_from_its_finished_rows(tmp_path: Any, endpoint: StartEndpoint) -> None:
    server, count = endpoint(), 600
    path = write_rows(tmp_path / "docs.jsonl", documents(count))
    budget = BudgetOptions()
    options = RunOptions(inputs=(str(path),), sending=Sending(base_url=server.url, concurrency=4, budget=budget))
    classify_run(options, Observer())
    rows = documents(count)
    for place in (0, 1, 2, 300, 599):  # the reader waits at the first ones while most are done
        rows[place]["text"] += " It was edited."
    write_rows(path, rows)
    watching = _Watching()
    classify_run(options, watching)
    asked = [progress for progress in watching.seen if progress.in_flight or progress.done > progress.skipped]
    assert all(progress.done >= count - 5 for progress in asked)
    assert (watching.seen[-1].done, watching.seen[-1].skipped) == (count, count - 5)
