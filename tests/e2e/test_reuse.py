"""`--reuse`: answers of earlier runs are not requested again, and a failing cache stops nothing."""

import json
import os
import sqlite3
from pathlib import Path

import pytest

from llmbatch import classify
from tests.analysis.test_fields import TASK as FIELDS
from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Program, documents, write_rows
from tests.ledgers import ledger_rows


def test_a_second_run_uses_the_firsts_answers(llmbatch: Program, endpoint: StartEndpoint) -> None:
    server, store = endpoint("--fault", "context_length@4"), str(llmbatch.folder / "answers.sqlite")
    options = ("--base-url", server.url, "--reuse", "--reuse-store", store, "--review-below", "0", "--json")
    rows = documents(10)
    write_rows(llmbatch.folder / "one.jsonl", rows)
    first = llmbatch("classify", "one.jsonl", *options).json
    assert (server.requests, first["failures"]) == (10, {"too_long": 1})

    write_rows(llmbatch.folder / "two.jsonl", [*rows, rows[0], {"id": "new", "text": "A new document about a court."}])
    second = llmbatch("classify", "two.jsonl", *options)
    assert (second.code, server.requests) == (0, 12), "the new one, and the one that failed: failures are not cached"
    assert (second.json["session"]["reused"], second.json["session"]["from_earlier_runs"]) == (10, 10)
    assert 0 < second.json["usage"]["cost_usd"] < first["usage"]["cost_usd"] / 2
    lines = {line["row"]: line for line in ledger_rows(llmbatch.folder / "two.llmbatch" / "ledger.jsonl")}
    asked = {line["id"]: line for line in ledger_rows(llmbatch.folder / "one.llmbatch" / "ledger.jsonl")}
    assert (lines[0]["source"], lines[0]["cost_usd"], lines[0].get("attempts")) == ("reused", 0, None)
    assert (lines[0]["saved_usd"], lines[0]["request_id"]) == (asked["d-0"]["cost_usd"], asked["d-0"]["request_id"])
    assert lines[0]["reused_from"] == lines[10]["reused_from"] != lines[11].get("reused_from")

    shown = llmbatch("cache", "show", "--reuse-store", store)
    assert "11 answers" in shown.out
    assert b"court" not in b"".join(path.read_bytes() for path in llmbatch.folder.glob("answers.sqlite*"))


def test_each_labels_confidence_is_cached_too(tmp_path: Path, endpoint: StartEndpoint) -> None:
    server, store, texts = endpoint(), tmp_path / "answers.sqlite", [row["text"] for row in documents(5)]
    (tmp_path / "news.toml").write_text(FIELDS)
    for name in ("one", "two"):
        classify(texts, task=tmp_path / "news.toml", base_url=server.url, reuse=store, out=tmp_path / name)
    assert server.requests == 5
    asked, reused = (
        {line["row"]: line for line in ledger_rows(tmp_path / name / "ledger.jsonl")} for name in ("one", "two")
    )
    assert [reused[row]["source"] for row in range(5)] == ["reused"] * 5
    assert [reused[row]["confidences"] for row in range(5)] == [asked[row]["confidences"] for row in range(5)]


def test_answers_are_reused_only_for_the_endpoint_that_gave_them(tmp_path: Path, endpoint: StartEndpoint) -> None:
    servers, store = [endpoint(), endpoint()], tmp_path / "answers.sqlite"
    texts = [row["text"] for row in documents(5)]
    for server in servers:
        classify(texts, base_url=server.url, reuse=store)
    assert [server.requests for server in servers] == [5, 5]
    classify(texts, base_url=servers[0].url, reuse=store)
    assert servers[0].requests == 5


def test_without_the_option_nothing_is_cached(tmp_path: Path, endpoint: StartEndpoint) -> None:
    server, store = endpoint(), tmp_path / "answers.sqlite"
    classify(["A court."], base_url=server.url)
    classify(["A court."], base_url=server.url, reuse=store)
    assert server.requests == 2


def test_a_damaged_cache_is_reported_once_and_the_run_continues(
    tmp_path: Path, endpoint: StartEndpoint, caplog: pytest.LogCaptureFixture
) -> None:
    store = tmp_path / "answers.sqlite"
    store.write_bytes(os.urandom(50_000))
    assert classify([row["text"] for row in documents(5)], base_url=endpoint().url, reuse=store).ok
    (warning,) = [record.message for record in caplog.records if "answers.sqlite" in record.message]
    assert "continues without it" in warning


def test_a_cache_damaged_during_a_run_stops_nothing(tmp_path: Path, endpoint: StartEndpoint) -> None:
    server, store = endpoint(), tmp_path / "answers.sqlite"
    classify([row["text"] for row in documents(100)], base_url=server.url, reuse=store)
    content = bytearray(store.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    store.write_bytes(content)
    assert classify([row["text"] for row in documents(100)], base_url=server.url, reuse=store).ok


def test_a_cached_label_that_the_task_does_not_have_is_not_used(tmp_path: Path, endpoint: StartEndpoint) -> None:
    server, store = endpoint(), tmp_path / "answers.sqlite"
    classify(["A court."], base_url=server.url, reuse=store)
    connection = sqlite3.connect(store)
    (answer,) = connection.execute("SELECT answer FROM answers").fetchone()
    made_up = json.dumps({**json.loads(answer), "category": "made up"}).encode()
    connection.execute("UPDATE answers SET answer = ?", (made_up,))
    connection.commit()
    connection.close()
    assert "made up" not in classify(["A court."], base_url=server.url, reuse=store).labels().values()
    assert server.requests == 2
