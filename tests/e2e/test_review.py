"""Review as people do it: through the command line."""

import csv
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pexpect  # type: ignore[import-untyped]
import pytest

from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import PROGRAM, Program, documents, environment, read_rows, views, write_rows

Review = Callable[[str], Any]


def press(key: str, terminal: Any, log: Path, lines: int) -> None:
    """Press a key and wait until the log has this many lines."""
    terminal.send(key)
    deadline = time.monotonic() + 60
    while len(read_rows(log)) < lines:
        assert terminal.isalive()
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def review(llmbatch: Program) -> Iterator[Review]:
    """Opens the review application in its own terminal, and waits until it shows a row."""
    open_ones = []

    def start(reviewer: str) -> Any:
        arguments = [*PROGRAM[1:], "review", "docs.offline.llmbatch", "--reviewer", reviewer]
        terminal = pexpect.spawn(
            sys.executable,
            arguments,
            cwd=str(llmbatch.folder),
            env=environment(TERM="xterm-256color"),
            dimensions=(24, 80),
            timeout=60,
        )
        open_ones.append(terminal)
        terminal.expect(b" of 6")
        return terminal

    yield start
    for terminal in open_ones:
        terminal.close(force=True)


def test_two_reviewers_in_terminals_and_one_is_killed(llmbatch: Program, review: Review) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", documents(6))
    llmbatch("classify", "docs.jsonl", "--offline", "--review-below", "1", "--quiet")
    assert "review export" in llmbatch("review", "docs.offline.llmbatch").err, "without a terminal it says what to do"
    log = llmbatch.folder / "docs.offline.llmbatch" / "decisions.jsonl"
    ana, ben = review("ana"), review("ben")
    press("3", ana, log, lines=1)
    ana.kill(signal.SIGKILL)
    press("4", ben, log, lines=2)
    ben.send("q")
    ben.expect(b"2 of 6 decided, . corrected; 4 left")
    ben.expect(pexpect.EOF)
    results = views(llmbatch.folder / "docs.offline.llmbatch")["results"]
    assert {row["reviewer"]: row["category"] for row in results} == {"ana": "legal", "ben": "marketing"}


def test_rows_are_exported_to_a_spreadsheet_and_imported_decided(llmbatch: Program) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", documents(6))
    llmbatch("classify", "docs.jsonl", "--offline", "--review-below", "1", "--sample", "2", "--quiet")
    out = llmbatch("review", "export", "docs.offline.llmbatch", "--out", "todo.csv")
    assert (out.code, out.out, out.err) == (0, "", "6 rows in todo.csv\n")
    with (llmbatch.folder / "todo.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    filled = [{**row, "decision": "marketing"} for row in rows[:4]]
    write_rows(llmbatch.folder / "bad.jsonl", [*filled, {"id": "d-0", "decision": "spam"}])
    refused = llmbatch("review", "import", "docs.offline.llmbatch", "bad.jsonl", "--reviewer", "ana")
    assert (refused.code, refused.err.splitlines()[:3]) == (
        2,
        [
            "line 5: 'spam' is not a label of the task",
            "category can be: technical, business, legal, marketing, other",
            "nothing was imported: 1 line refused",
        ],
    )
    write_rows(llmbatch.folder / "good.jsonl", filled)
    taken = llmbatch("review", "import", "docs.offline.llmbatch", "good.jsonl", "--reviewer", "ana")
    assert taken.err.splitlines()[0] == "4 decisions imported"
    found = views(llmbatch.folder / "docs.offline.llmbatch")
    assert [(row["category"], row["reviewer"]) for row in found["results"]] == [("marketing", "ana")] * 4
    assert len(found["review"]) == 2
    status = llmbatch("review", "status", "docs.offline.llmbatch", "--json").json
    assert (status["waiting"], status["reviewed"], status["reviewers"]) == (2, 4, {"ana": 4})
    gold = llmbatch("review", "export", "docs.offline.llmbatch", "--decided", "--format", "jsonl").out.splitlines()
    assert {json.loads(line)["label"] for line in gold} == {"marketing"}


def test_a_decision_outlives_the_prompt_the_model_and_the_row_number(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    server, rows = endpoint(), documents(6)
    write_rows(llmbatch.folder / "docs.jsonl", rows)
    command = ("classify", "docs.jsonl", "--base-url", server.url, "--review-below", "1", "--json")
    assert llmbatch(*command).code == 0
    write_rows(llmbatch.folder / "mine.jsonl", [{"id": "d-4", "decision": "marketing"}])
    assert llmbatch("review", "import", "docs.llmbatch", "mine.jsonl", "--reviewer", "ana").code == 0
    write_rows(llmbatch.folder / "docs.jsonl", [rows[5], rows[4], *rows[:4]])
    again = llmbatch(*command, "--reasoning", "--model", "gpt-6-sol").json
    assert (again["rows"]["reviewed"], again["session"]["answered"], server.requests) == (1, 5, 6 + 5)
    (result,) = views(llmbatch.folder / "docs.llmbatch")["results"]
    assert (result["row"], result["category"], result["reviewer"]) == (1, "marketing", "ana")
    estimated = llmbatch("estimate", "docs.jsonl", "--model", "gpt-5.4", "--json").json
    assert estimated["models"][0]["rows"]["to_ask"] == 5, "estimates count the decision too"
    write_rows(llmbatch.folder / "gold.jsonl", [{"id": row["id"], "label": "legal"} for row in rows])
    judged = llmbatch("evaluate", "docs.llmbatch", "--gold", "gold.jsonl")
    assert "judged are the model's answers, not the labels that people gave 1 row" in judged.out


def test_damaged_decisions_are_moved_aside(llmbatch: Program) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", documents(3))
    assert llmbatch("classify", "docs.jsonl", "--offline", "--out", "run").code == 0
    llmbatch("review", "export", "run", "--all", "--out", "todo.csv")
    sheet = (llmbatch.folder / "todo.csv").read_text().splitlines()
    column = sheet[0].split(",").index("decision")
    rows = [line.split(",") for line in sheet[1:]]
    for row in rows:
        row[column] = "legal"
    (llmbatch.folder / "done.csv").write_text("\n".join([sheet[0], *(",".join(row) for row in rows)]))
    assert llmbatch("review", "import", "run", "done.csv").code == 0
    log = llmbatch.folder / "run" / "decisions.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1].replace(b"legal", b"other", 1)
    log.write_bytes(b"".join(lines))
    refused = llmbatch("review", "status", "run")
    assert (refused.code, "llmbatch repair run" in refused.err) == (2, True)
    assert "1 damaged line of decisions.jsonl moved to run/decisions.salvaged-1" in llmbatch("repair", "run").out
    assert log.read_bytes() == lines[0] + lines[2]
    assert llmbatch("review", "status", "run").code == 0


def test_rows_are_exported_to_an_annotation_tool_and_imported(llmbatch: Program) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", documents(3))
    llmbatch("classify", "docs.jsonl", "--offline", "--review-below", "1", "--out", "run", "--quiet")
    out = llmbatch("review", "export", "run", "--to", "label-studio", "--out", "tasks.json")
    assert (out.code, out.err) == (0, "3 rows in tasks.json; for the tool's project: tasks.xml\n")
    tasks = json.loads((llmbatch.folder / "tasks.json").read_text())
    choices = {"from_name": "category", "to_name": "text", "type": "choices", "value": {"choices": ["legal"]}}
    project = [task | {"annotations": [{"completed_by": 3, "result": [choices]}]} for task in tasks]
    (llmbatch.folder / "project.json").write_text(json.dumps(project))
    taken = llmbatch("review", "import", "run", "project.json", "--from", "label-studio")
    assert (taken.code, taken.err.splitlines()[0]) == (0, "3 decisions imported")
    assert {row["reviewer"] for row in views(llmbatch.folder / "run")["results"]} == {"3"}
    refused = llmbatch("review", "export", "run", "--to", "argilla")
    assert (refused.code, "--to needs --out" in refused.err) == (2, True)
