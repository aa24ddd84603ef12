"""Logs of real runs."""

import json
from typing import Any

from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Program, documents, write_rows


def events(text: str) -> list[dict[str, Any]]:
    """All events but progress, whose timing varies."""
    lines = [json.loads(line) for line in text.splitlines()]
    return [line for line in lines if line["event"] != "run.progress"]


def test_the_json_log_covers_a_run_and_its_second_session(llmbatch: Program, endpoint: StartEndpoint) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", documents(12))
    command = ("classify", "docs.jsonl", "--concurrency", "1", "--log-format", "json", "--log-file", "run.log")
    stopped = llmbatch(*command, "--base-url", endpoint("--fault", "quota@5+").url)
    reported = events(stopped.err)
    assert [event["event"] for event in reported] == [
        "run.started",
        "prefix.planned",
        "run.estimate",
        "input.fields",
        "run.stopping",
        "run.ended",
    ]
    assert {event["run"] for event in reported} == {reported[0]["run"]}
    assert (reported[-1]["exit_code"], reported[-1]["level"], reported[-1]["rows"]["undone"]) == (4, "error", 8)
    assert "quota" in reported[4]["reason"]
    assert llmbatch(*command, "--json", "--base-url", endpoint().url, LLMBATCH_QUIET="1").json["exit_code"] == 0
    kept = events((llmbatch.folder / "run.log").read_text())
    assert [event["event"] for event in kept] == [e["event"] for e in reported] + [
        "run.started",
        "prefix.planned",
        "run.estimate",
        "input.fields",
        "run.ended",
    ]
    assert {event["run"] for event in kept} == {reported[0]["run"]}, "a folder's sessions are one run"
    assert (llmbatch.folder / "run.log").stat().st_mode & 0o777 == 0o600
    assert "crashed" not in stopped.err


def test_an_error_is_reported_in_the_log_format_and_in_the_file(llmbatch: Program) -> None:
    done = llmbatch("classify", "missing.jsonl", "--offline", "--log-format", "json", LLMBATCH_LOG_FILE="run.txt")
    (error,) = events(done.err)
    assert (done.code, error["event"], error["exit_code"], error["run"]) == (2, "run.error", 2, None)
    assert events((llmbatch.folder / "run.txt").read_text())[0]["message"] == error["message"]
