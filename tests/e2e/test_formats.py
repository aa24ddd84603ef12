"""Every kind of saved file has a format number: a newer one is refused unchanged, an earlier one still opens."""

import sqlite3
from contextlib import closing
from pathlib import Path

from llmbatch.core.rows import ConfidenceKind
from llmbatch.runs.calibrations import save_calibration
from llmbatch.runs.ledger.sent import SentLog
from llmbatch.task.calibration import Calibration
from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Program, documents, read_rows, views, write_rows
from tests.ledgers import ledger_rows
from tests.sealing import rewrite


def test_a_newer_format_of_any_file_is_refused_and_nothing_is_written(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    here = llmbatch.folder
    run, spend, answers, calibration = here / "run", here / "spend.db", here / "answers.db", here / "c.json"
    llmbatch.env.update(LLMBATCH_SPEND_STORE=str(spend), LLMBATCH_DAILY_BUDGET="1", LLMBATCH_REUSE_STORE=str(answers))
    write_rows(here / "docs.jsonl", documents(4))
    command = ("classify", "docs.jsonl", "--base-url", endpoint().url, "--out", "run", "--review-below", "0", "--reuse")
    assert llmbatch(*command).code == 0
    write_rows(here / "decided.jsonl", [{"id": "d-1", "decision": "legal"}])
    assert llmbatch("review", "import", "run", "decided.jsonl").code == 0
    SentLog(run / "sent.log").begin((run / "ledger.jsonl").stat().st_size, "then")
    save_calibration(calibration, _calibration())
    for name in ("run/run.json", "run/ledger.jsonl", "run/decisions.jsonl", "run/sent.log", "c.json", "spend.db"):
        file = here / name
        whole = file.read_bytes()
        _make_newer(file)
        before = {path: path.read_bytes() for path in here.rglob("*") if path.is_file() and path.name != ".lock"}
        done = llmbatch(*command, "--calibration", calibration)
        assert done.code == (8 if name == "spend.db" else 2), (name, done.err)
        assert "newer llmbatch" in done.err, name
        assert str(file.name) in done.err, name
        after = {path: path.read_bytes() for path in here.rglob("*") if path.is_file() and path.name != ".lock"}
        assert after == before, name
        file.write_bytes(whole)
    _make_newer(answers)
    newer = answers.read_bytes()
    done = llmbatch(*command)
    assert (done.code, "newer llmbatch" in done.err) == (0, True), "the answer cache is optional"
    assert answers.read_bytes() == newer


def test_a_folder_of_format_1_opens_resumes_and_says_so_once(llmbatch: Program, endpoint: StartEndpoint) -> None:
    here, run, server = llmbatch.folder, llmbatch.folder / "run", endpoint()
    write_rows(here / "docs.jsonl", documents(4))
    command = ("classify", "docs.jsonl", "--base-url", server.url, "--out", "run", "--review-below", "0")
    assert llmbatch(*command).code == 0
    write_rows(here / "decided.jsonl", [{"id": "d-1", "decision": "legal"}])
    assert llmbatch("review", "import", "run", "decided.jsonl").code == 0
    before = views(run)
    for name in ("run.json", "ledger.jsonl", "decisions.jsonl"):
        _make_format_1(run / name)
    assert llmbatch("show", "run", "--json").json["rows"]["reviewed"] == 1
    write_rows(here / "docs.jsonl", documents(5))
    resumed = llmbatch(*command)
    assert (resumed.code, server.requests) == (0, 5), resumed.err
    assert "new lines get checksums" in resumed.err
    assert views(run)["results"][:4] == before["results"]
    assert ["crc32" in line for line in read_rows(run / "ledger.jsonl")] == [False] * 4 + [True]
    again = llmbatch(*command)
    assert (again.code, "checksums" in again.err) == (0, False)


def _make_newer(file: Path) -> None:
    if file.suffix == ".db":
        with closing(sqlite3.connect(file)) as db:
            db.execute("PRAGMA user_version = 99")
    else:
        rewrite(file, lambda record: {"format": 99} | record | {"format": 99})


def _make_format_1(file: Path) -> None:
    records = ledger_rows(file) if file.name == "ledger.jsonl" else read_rows(file)
    for record in records:
        record.pop("crc32", None)
        if file.name == "run.json":
            record["format"] = 1
        else:
            del record["format"]
    write_rows(file, records)


def _calibration() -> Calibration:
    return Calibration(
        prompt="p",
        model="m",
        offline=False,
        confidence=ConfidenceKind.reported,
        method="platt",
        rows=99,
        gold="g",
        fitted_at="now",
    )


def test_logs_truncated_at_a_line_are_reported_before_their_rows_are_sent_again(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    server, ledger = endpoint(), llmbatch.folder / "run" / "ledger.jsonl"
    write_rows(llmbatch.folder / "docs.jsonl", documents(4))
    command = ("classify", "docs.jsonl", "--base-url", server.url, "--out", "run", "--review-below", "0")
    assert llmbatch(*command).code == 0
    whole = ledger.read_bytes()
    kept = b"".join(whole.splitlines(keepends=True)[:3])
    ledger.write_bytes(kept)
    shown = llmbatch("show", "run", "--json")
    assert any("older than the ledger" in note for note in shown.json["notes"]), shown.err
    done = llmbatch(*command)
    assert (done.code, server.requests) == (0, 5)
    assert f"lost {len(whole) - len(kept):,} bytes" in done.err
    again = llmbatch(*command)
    assert (again.code, "shorter" in again.err) == (0, False)
