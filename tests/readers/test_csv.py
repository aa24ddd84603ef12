import csv
import gzip
import time
from pathlib import Path
from typing import Any

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.core.rows import Rejection, Row
from llmbatch.readers import ReaderOptions, count_rows, resolve_inputs


def summary(rows: list[Row | Rejection]) -> list[Any]:
    """Each row as its text, each rejection as its kind and line."""
    return [row.text if isinstance(row, Row) else (row.kind, row.place.line) for row in rows]


def test_a_record_becomes_a_row(read: Any) -> None:
    (row,) = read("id,text,lang\n1,Hello,en\n", "in.csv")
    assert (row.index, row.id, row.text, row.place.line) == (0, "1", "Hello", 2)
    assert row.fields == {"id": "1", "text": "Hello", "lang": "en"}


@pytest.mark.parametrize("content", ["", "\n\r\n", "id,text", "id,text\n", "id,text\r\n\r\n"])
def test_a_file_without_records_has_no_rows(read: Any, content: str) -> None:
    assert read(content, "in.csv") == []


def test_a_quoted_newline_is_part_of_its_cell(read: Any) -> None:
    rows = read('id,text\n1,"a\nb\r\n\n""c"""\n2,d\n', "in.csv")
    assert [(row.text, row.place.line, row.index) for row in rows] == [('a\nb\r\n\n"c"', 2, 0), ("d", 6, 1)]


def test_a_quoted_delimiter_is_part_of_its_cell(read: Any) -> None:
    assert summary(read('text,n\n"a,b",1\n', "in.csv")) == ["a,b"]


def test_carriage_returns_before_newlines_are_not_part_of_the_text(read: Any) -> None:
    rows = read('id,text\r\n1,a\r\n2,"b"\r\n3,c', "in.csv")
    assert summary(rows) == ["a", "b", "c"]
    assert dict(rows[1].fields) == {"id": "2", "text": "b"}


def test_a_quote_inside_an_unquoted_cell_is_text(read: Any) -> None:
    assert summary(read('id,text\n1,ab"c\n2,5" disk"\n', "in.csv")) == ['ab"c', '5" disk"']


def test_empty_lines_are_not_rows(read: Any) -> None:
    rows = read("\nid,text\n\n1,a\n\r\n2,b\n\n", "in.csv")
    assert [(row.index, row.place.line) for row in rows] == [(0, 4), (1, 6)]


def test_a_header_may_be_quoted_and_span_lines(read: Any) -> None:
    (row,) = read('"id","the\ntext, long"\n1,a\n', "in.csv", text_fields=("the\ntext, long",))
    assert (row.text, row.place.line) == ("a", 3)


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_another_delimiter_is_detected_from_the_header(read: Any, delimiter: str) -> None:
    header = delimiter.join(["id", '"text, long"', "text"])
    assert summary(read(f"{header}\n1{delimiter}a,b{delimiter}c,d\n", "in.csv")) == ["c,d"]


def test_a_comma_in_the_header_makes_the_comma_the_delimiter(read: Any) -> None:
    assert summary(read("id,text;more,text\n1,a;b,c;d\n", "in.csv")) == ["c;d"]


@pytest.mark.parametrize(
    ("record", "kind", "message"),
    [
        (b"1,a,x", "bad_columns", "has 3 cells, the header has 2"),
        (b'"1","a","x"', "bad_columns", "has 3 cells, the header has 2"),
        (b"1,caf\xe9", "bad_encoding", "is not UTF-8 (byte 0xe9)"),
        (b'1,"caf\xe9"', "bad_encoding", "is not UTF-8 (byte 0xe9)"),
        (b"1,", "empty_text", "the text in the field 'text' is empty"),
        (b'1," "', "empty_text", "the text in the field 'text' is empty"),
        (b'1,"ab"c', "bad_csv", "text follows the closing quote at column 6"),
        (b'"1" ,ab', "bad_csv", "text follows the closing quote at column 3"),
        (b'1,"ab', "bad_csv", "quote opened at column 3 is never closed"),
        (b'1,"ab""', "bad_csv", "quote opened at column 3 is never closed"),
    ],
)
def test_a_bad_record_is_rejected_with_its_bytes_and_does_not_renumber_others(
    read: Any, record: bytes, kind: str, message: str
) -> None:
    first, bad, last = read(b"id,text\r\na,A\r\n" + record + b"\r\nc,C\r\n", "in.csv")
    assert (first.text, last.index, last.id, last.text, last.place.line) == ("A", 2, "c", "C", 4)
    assert isinstance(bad, Rejection)
    assert (bad.kind, bad.message, bad.index, bad.place.line) == (kind, message, 1, 3)
    assert bad.raw.removesuffix(b"\r") == record


def test_an_unclosed_quote_loses_no_other_row(read: Any) -> None:
    rows = read('id,text\n1,"a\n2,b\n3,"c, d"\n4,"e\nf"\n5,g\n', "in.csv")
    assert summary(rows) == [("bad_csv", 2), "b", "c, d", "e\nf", "g"]
    assert [row.index for row in rows] == [0, 1, 2, 3, 4]


def test_an_unclosed_quote_in_the_last_row_loses_no_other_row(read: Any) -> None:
    assert summary(read('id,text\n1,a\n2,"b\n3,c\n', "in.csv")) == ["a", ("bad_csv", 3), "c"]


def test_an_unclosed_quote_is_abandoned_at_the_limit(read: Any) -> None:
    rows = read('id,text\n1,"a\n' + "2,b\n" * 100 + '3,"c"\n', "in.csv", max_row_bytes=200)
    assert summary(rows) == [("bad_csv", 2), *["b"] * 100, "c"]


def test_a_record_whose_second_quote_is_unclosed_is_rejected_up_to_that_line(read: Any) -> None:
    rows = read('id,text,more\n"1\n1","a","b\n2,c,d\n', "in.csv")
    assert summary(rows) == [("bad_csv", 2), "c"]
    assert rows[0].message == "quote opened at column 8 of the record's line 2 is never closed"
    assert rows[0].raw == b'"1\n1","a","b'


def test_a_line_over_the_limit_ends_an_unclosed_quote(read: Any) -> None:
    rows = read('id,text\n1,"a\n2,' + "b" * 200 + "\n3,c\n", "in.csv", max_row_bytes=100)
    assert summary(rows) == [("bad_csv", 2), ("too_large", 3), "c"]


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ('{},"stray', "bad_csv"),
        ('{},x""y', None),
        ('{}",ab"c,"', "bad"),
        ('{},"', None),
        ('"{}', "bad"),
        ('{},"a""', "bad_csv"),
    ],
)
def test_stray_quotes_in_every_line_do_not_take_quadratic_time(read: Any, line: str, kind: str | None) -> None:
    content = "id,text\n" + "".join(line.format(number) + "\n" for number in range(20_000))
    started = time.process_time()
    rows = read(content, "in.csv")
    assert time.process_time() - started < 5, "a fraction of a second is usual"
    assert [row.index for row in rows] == list(range(len(rows)))
    if kind == "bad_csv":
        assert [row.place.line for row in rows] == list(range(2, 20_002))
        assert {row.kind for row in rows} == {"bad_csv"}


def test_a_cell_may_be_longer_than_the_csv_module_allows(read: Any) -> None:
    text = "word, " * 100_000
    assert summary(read(f'id,text\n1,"{text}"\n2,{"y" * 300_000}\n', "in.csv")) == [text, "y" * 300_000]
    assert csv.field_size_limit() == 131_072


def test_nul_is_read_as_text(read: Any) -> None:
    assert summary(read("id,text\n1,a\0b\n", "in.csv")) == ["a\0b"]


def test_a_byte_order_mark_is_not_part_of_the_first_column(read: Any) -> None:
    (row,) = read(b"\xef\xbb\xbfid,text\n1,\xef\xbb\xbfa\n", "in.csv")
    assert (row.id, row.text) == ("1", "\ufeffa")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"id,t\xe9xt\n1,a\n", "the header is not UTF-8"),
        (b'id,"text\n1,a\n', "the header quote opened at column 4 is never closed"),
        (b"id,text" + b"x" * 3000 + b"\n1,a\n", "the header is longer than 2,000 bytes"),
    ],
)
def test_an_unusable_header_is_refused(read: Any, content: bytes, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read(content, "in.csv", max_row_bytes=2000)


@pytest.mark.parametrize(
    ("header", "names"),
    [
        (",text", ["column_1", "text"]),
        ("id,text,,", ["id", "text", "column_3", "column_4"]),
        ("id,text,text", ["id", "text", "text_2"]),
        ("text,text_2,text", ["text", "text_2", "text_3"]),
        (" id , text ", ["id", "text"]),
        ('id,"text",column_4,', ["id", "text", "column_4", "column_4_"]),
    ],
)
def test_every_column_gets_a_unique_name(read: Any, header: str, names: list[str]) -> None:
    cells = [f"a{n}" for n in range(len(names))]
    (row,) = read(f"{header}\n{','.join(cells)}\n", "in.csv", text_fields=("text",))
    assert dict(row.fields) == dict(zip(names, cells, strict=True))


@pytest.mark.parametrize(
    ("line", "cells"), [("1", ["1", ""]), ("1,a,", ["1", "a"]), ("1,a,,,", ["1", "a"]), ('1,"a",""', ["1", "a"])]
)
def test_missing_cells_and_empty_extra_cells_are_tolerated(read: Any, line: str, cells: list[str]) -> None:
    (row, _) = read(f"id,text\n{line}\n2,b\n", "in.csv", text_fields=("id",))
    assert list(row.fields.values()) == cells


def test_rows_of_empty_cells_are_skipped(read: Any) -> None:
    assert summary(read("id,text\n1,a\n,\n,,\n2,b\n,\n", "in.csv")) == ["a", "b"]


def test_a_header_that_ends_in_cr_above_lines_that_do_not_is_one_line(read: Any) -> None:
    assert summary(read("id,text\r1,one\n2,two\r\n", "in.csv")) == ["one", "two"]


@pytest.mark.parametrize("end", ["\r", "\r\r\n", "\n", "\r\n"])
@pytest.mark.parametrize("name", ["in.csv", "in.tsv"])
def test_all_line_endings_are_recognized(read: Any, end: str, name: str) -> None:
    mark = "," if name == "in.csv" else "\t"
    lines = [f"id{mark}text", f"1{mark}a", f'2{mark}"b b"', f"3{mark}c"]
    rows = read(end.join(lines) + end, name)
    assert [(row.id, row.text) for row in rows] == [("1", "a"), ("2", "b b"), ("3", "c")]


def test_damage_within_an_open_quote_is_reported_once(read: Any) -> None:
    packed = gzip.compress(b'id,text\n1,a\n2,"b\n' + bytes(range(32, 127)) * 3 + b'"\n')
    rows = read(packed[:-30], "in.csv.gz")
    assert summary(rows) == ["a", ("bad_gzip", 3)]
    assert rows[1].raw.startswith(b'2,"b')


def test_counting_agrees_with_reading(read: Any, tmp_path: Path) -> None:
    rows = read(b'id,text\n\n1,a\n2,"b\n3,c\n\r\n4\n5,\xff\n6,"d\ne"\n7,' + b"f" * 99, "in.csv", max_row_bytes=50)
    options = ReaderOptions(max_row_bytes=50)
    assert count_rows(resolve_inputs([str(tmp_path / "in.csv")], options), options) == len(rows) == 7
