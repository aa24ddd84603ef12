"""Rows that cannot be used: reported with file and line, saved with their fields, and retried by another run."""

import csv
import json
import os
from pathlib import Path

from tests.e2e.program import Program, read_rows, write_rows


def test_the_first_three_of_each_kind_are_reported_and_then_a_count(llmbatch: Program) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", [{"text": "A court."}, *[b"{bad"] * 5, {"id": 7}, {"text": 7}])
    done = llmbatch("classify", "docs.jsonl", "--offline")
    assert done.code == 3
    for line in (2, 3, 4, 7, 8):
        assert f"docs.jsonl:{line}: rejected" in done.err
    assert "docs.jsonl:5" not in done.err
    assert "2 more rows are rejected (bad_json)" in done.err


def test_a_rejected_row_keeps_its_fields_and_can_be_an_input_again(llmbatch: Program) -> None:
    write_rows(
        llmbatch.folder / "docs.jsonl", [{"id": "a", "text": "A court."}, {"id": "b", "text": " ", "lang": "en"}]
    )
    llmbatch("classify", "docs.jsonl", "--offline")
    (failed,) = read_rows(llmbatch.folder / "docs.offline.llmbatch" / "failed.jsonl")
    assert (failed["id"], failed["lang"], failed["error"]["kind"]) == ("b", "en", "empty_text")
    failed["text"] = "A contract."
    write_rows(llmbatch.folder / "again.jsonl", [failed])
    assert llmbatch("classify", "again.jsonl", "--offline").code == 0
    (row,) = [
        row
        for name in ("results", "review")
        for row in read_rows(llmbatch.folder / "again.offline.llmbatch" / f"{name}.jsonl")
    ]
    assert row["id"] == "b"


def test_a_csv_of_failed_rows_has_its_errors_in_one_column(llmbatch: Program) -> None:
    rows = [{"id": 1, "text": ""}, {"id": 2, "text": "", "error": "mine"}, {"id": 3, "text": "", "llmbatch_error": 1}]
    write_rows(llmbatch.folder / "docs.jsonl", [*rows, b"{bad", {"id": 4, "text": "A court."}])
    llmbatch("classify", "docs.jsonl", "--offline")
    llmbatch("export", "docs.offline.llmbatch", "--format", "csv")
    with (llmbatch.folder / "docs.offline.llmbatch" / "failed.csv").open(newline="") as file:
        failed = list(csv.DictReader(file))
    errors = [json.loads(row["llmbatch_llmbatch_error"])["kind"] for row in failed]
    assert errors == ["empty_text", "empty_text", "empty_text", "bad_json"]
    assert [row["error"] for row in failed] == ["", "mine", "", ""]


def test_skipped_files_are_reported(llmbatch: Program) -> None:
    folder = llmbatch.folder / "docs"
    folder.mkdir()
    write_rows(folder / "a.jsonl", [{"text": "A court."}])
    write_rows(folder / os.fsdecode(b"caf\xe9.jsonl"), [{"text": "A server."}])
    (folder / "b.pdf").touch()
    (folder / "z.jsonl").symlink_to("a.jsonl")
    done = llmbatch("classify", "docs", "--offline")
    assert "docs: ignored: file in .pdf (1); for example b.pdf" in done.err
    assert "docs/z.jsonl: ignored: file, the same as docs/a.jsonl (1)" in done.err
    assert "2 rows" in done.err


def test_the_current_folder_can_be_an_input(llmbatch: Program) -> None:
    write_rows(llmbatch.folder / "a.jsonl", [{"text": "A court."}])
    assert llmbatch("classify", ".", "--offline").code in (0, 3)
    assert Path(llmbatch.folder).exists()
