"""Values of an input are unchanged in all outputs and in tables for spreadsheets."""

import csv
import io
import json
from pathlib import Path
from typing import Any

from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Program, read_rows

NUMBERS = ["0.1234567890123456789", "1.0", "1.50", "1E5", "-0", "-0.0", "9" * 40, "123456789012345678", "1e-7"]


def line_of(identity: str, text: str, fields: str) -> str:
    return f'{{"id":{identity},"text":{json.dumps(text)},"score":{fields},"deep":{{"more":[{fields}]}}}}\n'


def test_numbers_and_ids_are_unchanged_in_every_output(llmbatch: Program, endpoint: StartEndpoint) -> None:
    docs = llmbatch.folder / "docs.jsonl"
    lines = [line_of(number, f"Invoice {n} is overdue.", number) for n, number in enumerate(NUMBERS)]
    docs.write_text("".join(lines) + '{"id":1,"text":"x","score":1e400}\n')
    server = endpoint("--fault", "context_length@1")
    done = llmbatch("classify", "docs.jsonl", "--base-url", server.url, "--review-below", "0.7", "--concurrency", "1")
    assert done.code == 3, done.err
    run = llmbatch.folder / "docs.llmbatch"
    written = "".join((run / f"{name}.jsonl").read_text() for name in ("results", "review", "failed"))
    assert (run / "review.jsonl").stat().st_size
    for number in NUMBERS:
        assert f'"id":{number},' in written
        assert f'"score":{number},"deep":{{"more":[{number}]}}' in written
    assert '"score":1e400' in json.loads((run / "failed.jsonl").read_text().splitlines()[-1])["raw"]
    assert "docs.jsonl:10" in done.err or '"line":10' in written
    ledger = (run / "ledger.jsonl").read_text()
    assert all(f'"id":{number},"key"' in ledger for number in NUMBERS)
    assert llmbatch("export", run, "--format", "csv").code == 0
    cells = [row for name in ("results", "review", "failed") for row in table(run / f"{name}.csv")]
    assert sorted(row["score"] for row in cells if row["score"]) == sorted(NUMBERS)
    again = llmbatch(
        "classify", run / "failed.jsonl", "--base-url", server.url, "--out", "again", "--review-below", "0"
    )
    assert again.code == 3, "the unreadable row stays unreadable"
    (result,) = (llmbatch.folder / "again" / "results.jsonl").read_text().splitlines()
    assert f'"score":{NUMBERS[0]},' in result


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(), newline="")))


def test_fields_named_like_our_own_keep_their_values(llmbatch: Program, endpoint: StartEndpoint) -> None:
    own: dict[str, Any] = {"id": 1, "text": "x y", "category": "A", "input_category": "B", "row": "C", "input_row": "D",
           "error": "E", "raw": "F", "confidence": "G", "decided_by": "H", "llmbatch_error": "I"}  # fmt: skip
    (llmbatch.folder / "own.jsonl").write_text(json.dumps(own) + "\n")
    done = llmbatch("classify", "own.jsonl", "--base-url", endpoint().url, "--review-below", "0")
    assert done.code == 0, done.err
    run = llmbatch.folder / "own.llmbatch"
    (result,) = read_rows(run / "results.jsonl")
    values = {str(value) for name, value in own.items() if name != "text"}
    assert values <= set(map(str, result.values()))
    assert llmbatch("export", run, "--format", "csv").code == 0
    (row,) = table(run / "results.csv")
    assert values <= set(row.values())
    failing = endpoint("--fault", "context_length@1-9").url
    assert llmbatch("classify", "own.jsonl", "--base-url", failing, "--out", "f").code == 3
    assert llmbatch("export", "f", "--format", "csv").code == 0
    (failed,) = table(llmbatch.folder / "f" / "failed.csv")
    assert {name: failed[name] for name in own} == {name: str(value) for name, value in own.items()}


def test_a_table_escaped_for_spreadsheets_is_read_again_with_the_same_values(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    cells = ["=1+1", "'=1", "''@x", "-1.5", "+49 30 1", " =x", "007", 'a;b,c\n"d"', "plain", "true"]
    written = io.StringIO(newline="")
    rows = [(f"=id{n}", f"Invoice {n} is overdue.", cell) for n, cell in enumerate(cells)]
    csv.writer(written).writerows([("id", "text", "=odd name"), *rows])
    (llmbatch.folder / "docs.csv").write_text(written.getvalue(), newline="")
    server = endpoint()
    command = ("--base-url", server.url, "--review-below", "0", "--text-field")
    assert llmbatch("classify", "docs.csv", *command, "text").code == 0
    assert llmbatch("export", "docs.llmbatch", "--format", "csv", "--bom").code == 0
    exported = llmbatch.folder / "docs.llmbatch" / "results.csv"
    assert exported.read_bytes().startswith(b"\xef\xbb\xbf")
    with exported.open(encoding="utf-8-sig", newline="") as file:
        first = next(csv.DictReader(file))
    assert (first["'=odd name"], first["formula_protected"]) == ("'=1+1", "id;'=odd name")
    again = llmbatch("classify", exported, *command, "=odd name", "--keep", "id,=odd name", "--out", "again")
    assert again.code == 0, again.err
    results = read_rows(llmbatch.folder / "again" / "results.jsonl")
    assert [(row["id"], row["=odd name"]) for row in results] == [(row[0], row[2]) for row in rows]


def test_rows_for_review_include_the_input_fields_and_survive_a_spreadsheet(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    docs = [{"id": n, "text": f"Rückfrage {n} zur Rechnung", "team": "=x", "note": "own", "key": n} for n in range(2)]
    (llmbatch.folder / "docs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in docs))
    assert llmbatch("classify", "docs.jsonl", "--base-url", endpoint().url, "--review-below", "1").code == 0
    assert llmbatch("review", "export", "docs.llmbatch", "--out", "r.csv", "--bom").code == 0
    with (llmbatch.folder / "r.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:4] == ["row", "id", "text", "decision"]
    assert sorted(row["input_key"] for row in rows) == ["0", "1"]
    assert {(row["team"], row["input_note"]) for row in rows} == {("'=x", "own")}
    for row in rows:
        row["decision"] = "legal"
    saved = io.StringIO(newline="")
    writer = csv.DictWriter(saved, rows[0].keys(), delimiter=";", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    content = saved.getvalue()
    as_saved = (f"sep=;\r\n{content}".encode("utf-8-sig"), content.encode("utf-16"), content.encode("cp1252"))
    for number, raw in enumerate(as_saved):
        (llmbatch.folder / "saved.csv").write_bytes(raw)
        done = llmbatch("review", "import", "docs.llmbatch", "saved.csv", "--reviewer", "ana")
        assert done.code == 0, (number, done.err)
    assert [row["category"] for row in read_rows(llmbatch.folder / "docs.llmbatch" / "results.jsonl")] == ["legal"] * 2
