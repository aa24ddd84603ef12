"""`llmbatch input` shows what would be read, without a key; a run reports the same."""

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Program, read_rows

CASES = Path(__file__).parents[1] / "readers" / "data" / "tables"
TICKETS = "id;Summary;Comment;Comment;\n1;Printer on fire;please call me today;it is done;\n2;No net;;;\n;;;;\n"
REPEATED = "columns of the same name called Comment_2"


def look(llmbatch: Program, *arguments: str | Path) -> dict[str, Any]:
    done = llmbatch("input", *arguments, "--json")
    assert done.code == 0, done.err
    (one,) = done.json["inputs"]
    return dict(one)


def test_the_input_is_shown_without_a_key(llmbatch: Program) -> None:
    Path(llmbatch.folder, "t.csv").write_text(TICKETS)
    one = look(llmbatch, "t.csv", "--text-field", "Summary")
    assert (one["format"], one["encoding"], one["delimiter"], one["rows"]) == ("csv", "utf-8", ";", 2)
    assert one["fields"] == ["id", "Summary", "Comment", "Comment_2", "column_5"]
    assert (one["id_field"], one["text_fields"]) == ("id", ["Summary"])
    assert [document["text"] for document in one["documents"]] == ["Printer on fire", "No net"]
    assert "1 empty row skipped" in one["remarks"]
    assert REPEATED in one["findings"]
    shown = llmbatch("input", "t.csv", "--text-field", "Summary")
    assert (shown.code, "delimiter ';'" in shown.out, "1: Printer on fire" in shown.out) == (0, True, True)


def test_unreadable_rows_are_shown_by_kind_with_their_lines(llmbatch: Program) -> None:
    rows = "".join(f"{n},a,too,long\n" for n in range(5))
    Path(llmbatch.folder, "t.csv").write_bytes(b"id,text\n1,good\n" + rows.encode() + b"9,caf\xe9 cr\xe8me\n")
    one = look(llmbatch, "t.csv")
    assert one["rejected"]["bad_columns"]["count"] == 5
    assert [each["line"] for each in one["rejected"]["bad_columns"]["first"]] == [3, 4, 5]
    (remark,) = one["remarks"]
    assert remark.startswith("1 row is not UTF-8")
    assert "--encoding" in remark


def test_a_document_cannot_control_the_terminal(llmbatch: Program) -> None:
    text = '{"id": "\\u001b[2J", "text": "a\\u001b]0;title\\u0007 [red]b"}\n'
    Path(llmbatch.folder, "t.jsonl").write_text(text)
    done = llmbatch("input", "t.jsonl")
    assert done.code == 0
    assert "\x1b" not in done.out
    assert "[red]b" in done.out


def test_standard_input_is_shown_too(llmbatch: Program) -> None:
    done = llmbatch("input", "-", "--json", stdin=b"id|text\n1|a b c\n")
    assert (done.code, done.json["inputs"][0]["delimiter"]) == (0, "|")


@pytest.mark.parametrize(
    ("content", "options", "texts"),
    [
        (b"1,Where is it?\n", ["--no-header", "--text-field", "column_2"], ["Where is it?"]),
        (b"Export\n\nid^text\n1^a\n", ["--skip-lines", "2", "--delimiter", "^"], ["a"]),
        (b"id,text\n1,'a, \xfc'\n", ["--quote", "'", "--encoding", "cp1252"], ["a, ü"]),
        (b"id,text\n1,a\\, b\n", ["--escape", "\\"], ["a, b"]),
    ],
)
def test_options_set_how_a_table_is_read(
    llmbatch: Program, content: bytes, options: list[str], texts: list[str]
) -> None:
    Path(llmbatch.folder, "t.csv").write_bytes(content)
    assert [document["text"] for document in look(llmbatch, "t.csv", *options)["documents"]] == texts


@pytest.mark.parametrize(
    ("name", "options", "ids", "rejected"),
    [
        ("repeated_names.csv", [], ["1", "2"], []),
        ("trailing_empty.csv", [], ["1", "2"], []),
        ("short_rows.csv", [], ["1", "2"], []),
        ("pipe.psv", [], ["1", "2"], []),
        ("preamble.csv", ["--skip-lines", "2"], ["1", "2"], []),
        ("no_header.csv", ["--no-header"], [0, 1], []),
        ("excel_utf16.txt.csv", [], ["1"], []),
        ("shift_jis.csv", ["--encoding", "shift_jis"], ["1"], []),
        ("shift_jis.csv", ["--encoding", "auto"], ["1"], []),
        ("shift_jis.csv", [], [], ["bad_encoding"]),
        ("crcrlf.csv", [], ["1", "2"], []),
        ("two_prose_fields.csv", [], ["1", "2"], []),
        ("mysql_dump.csv", [], ["1", "2"], []),
    ],
)
def test_files_as_real_programs_write_them_are_read(
    llmbatch: Program, name: str, options: list[str], ids: list[str | int], rejected: list[str]
) -> None:
    one = look(llmbatch, CASES / name, *options)
    assert [document["id"] for document in one["documents"]] == ids
    assert list(one["rejected"]) == rejected
    assert all("\r" not in field for field in one["fields"])


@pytest.mark.parametrize(("name", "option"), [("preamble.csv", "--skip-lines 2"), ("no_header.csv", "--no-header")])
def test_an_ambiguous_table_is_refused_with_the_option_that_settles_it(
    llmbatch: Program, name: str, option: str
) -> None:
    done = llmbatch("input", CASES / name)
    assert done.code == 2
    assert option in done.err


def test_a_run_reports_what_was_detected_and_corrected_and_keeps_its_options(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    Path(llmbatch.folder, "t.csv").write_bytes(TICKETS.replace("please", "plöase").encode("cp1252"))
    options = ("--text-field", "Summary", "--encoding", "cp1252", "--review-below", "0")
    done = llmbatch("classify", "t.csv", *options, "--base-url", endpoint().url)
    assert done.code == 0, done.err
    assert "t.csv: separated by semicolons; columns without a name called column_5; " in done.err
    assert "t.csv: 1 empty row skipped" in done.err
    results = llmbatch.folder / "t.llmbatch" / "results.jsonl"
    written = read_rows(results)
    assert written[0]["Comment"] == "plöase call me today"
    results.unlink()
    assert llmbatch("export", "t.llmbatch").code == 0
    assert read_rows(results) == written, "the run's record says how its input is read"


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8-sig", "utf-16"])
def test_gold_and_decisions_are_read_as_spreadsheets_write_them(
    llmbatch: Program, endpoint: StartEndpoint, encoding: str
) -> None:
    rows = "".join(f"{n},text {n}\n" for n in range(4))
    Path(llmbatch.folder, "t.csv").write_text(f"id,text\n{rows}")
    assert llmbatch("classify", "t.csv", "--base-url", endpoint().url, "--review-below", "0").code == 0
    labelled = "".join(f"{n};technical;geprüft für Köln\n" for n in range(4))
    Path(llmbatch.folder, "gold.csv").write_bytes(f"id;label;note\n{labelled}".encode(encoding))
    done = llmbatch("evaluate", "t.llmbatch", "--gold", "gold.csv", "--json")
    assert done.code == 0, done.err
    Path(llmbatch.folder, "decided.csv").write_bytes(f"id;decision;note\n{labelled}".encode(encoding))
    imported = llmbatch("review", "import", "t.llmbatch", "decided.csv")
    assert imported.code == 0, imported.err
    (line, *_) = read_rows(llmbatch.folder / "t.llmbatch" / "decisions.jsonl")
    assert line["note"] == "geprüft für Köln"
