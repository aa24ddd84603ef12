"""A changed input is reported, and the run does not succeed."""

import json
import os

from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Program, documents, ledger_lines, views, wait_until, write_rows


def _piped(rows: list[dict[str, object]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def test_an_input_that_shrinks_during_a_run_ends_it_with_3(llmbatch: Program, endpoint: StartEndpoint) -> None:
    path = write_rows(llmbatch.folder / "docs.jsonl", documents(40))
    server = endpoint("--latency", "0.05")
    process = llmbatch.start("classify", "docs.jsonl", "--base-url", server.url, "--concurrency", "1", "--json")
    wait_until(lambda: ledger_lines(llmbatch.folder / "docs.llmbatch") >= 1, process)
    os.truncate(path, path.read_bytes().index(b"in case 20"))
    out, err = process.communicate()
    assert process.returncode == 3, err
    assert json.loads(out)["input_changes"] == [{"input": "docs.jsonl", "change": "shrank", "is_while_read": True}]
    assert "docs.jsonl shrank while it was being read: rows may be missing" in err


def test_every_command_that_writes_results_reports_an_input_that_shrank(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    server = endpoint()
    path = write_rows(llmbatch.folder / "docs.jsonl", documents(10))
    command = ("classify", "docs.jsonl", "--base-url", server.url)
    assert llmbatch(*command).code == 0
    whole = path.read_bytes()
    os.truncate(path, path.read_bytes().index(b'{"id": "d-7"'))
    for other in (("export", "docs.llmbatch"), ("export", "docs.llmbatch", "--format", "csv", "--out", "csv")):
        exported = llmbatch(*other)
        assert (exported.code, "is shorter than when it was last read" in exported.err) == (3, True)
    shown = llmbatch("show", "docs.llmbatch", "--json").json
    assert (shown["input_changes"][0]["change"], "is shorter" in shown["notes"][-1]) == ("shrank", True)
    write_rows(llmbatch.folder / "mine.jsonl", [{"id": "d-1", "decision": "other"}])
    assert "is shorter than" in llmbatch("review", "import", "docs.llmbatch", "mine.jsonl").err
    again = llmbatch(*command, "--quiet")
    assert (again.code, "is shorter than when it was last read" in again.err, server.requests) == (3, True, 10)
    assert llmbatch(*command).code == 0, "it is reported once"
    path.write_bytes(whole)
    assert (llmbatch(*command).code, server.requests) == (0, 10)


def test_another_standard_input_replaces_nothing(llmbatch: Program, endpoint: StartEndpoint) -> None:
    server, rows = endpoint(), documents(6)
    command = ("classify", "-", "--base-url", server.url, "--json")
    assert llmbatch(*command, stdin=_piped(rows[:3])).code == 0
    folder = llmbatch.folder / "stdin.llmbatch"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    other = llmbatch(*command, stdin=_piped([{"id": "x", "text": "Quite another document."}, *rows]))
    assert (other.code, "different standard input" in other.err, "--out" in other.err) == (2, True, True)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert llmbatch(*command, stdin=_piped(rows)).json["session"]["answered"] == 3, "it may grow"
    shorter = llmbatch(*command, stdin=_piped(rows[:4]))
    assert (shorter.code, shorter.json["input_changes"][0]["change"]) == (3, "shrank")
    assert llmbatch("retry", "stdin.llmbatch", "--base-url", server.url).code == 0
    assert len(views(folder)["results"]) == 4
    assert server.requests == 6
