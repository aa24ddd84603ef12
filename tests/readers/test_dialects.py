"""Tables in the dialects and encodings that programs write, detected or given by the user."""

import csv
import io
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from llmbatch.core.errors import UsageError
from llmbatch.core.rows import Row
from llmbatch.readers import ReaderOptions, read_rows, resolve_inputs


def fields(rows: list[Any]) -> list[dict[str, Any]]:
    return [dict(row.fields) for row in rows if isinstance(row, Row)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("in.csv", "id;text, long;text\n1;a,b;c\n"),
        ("in.csv", "sep=;\nid;text\n1;c\n"),
        ("in.csv", '"sep=|"\nid|text\n1|c\n'),
        ("in.psv", "id|text\n1|c\n"),
        ("in.csv", "id|text\n1|c\n"),
        ("in.csv", "id\ttext\n1\tc\n"),
        ("in.tab", "id\ttext\n1\tc\n"),
    ],
)
def test_the_delimiter_is_detected(read: Any, name: str, content: str) -> None:
    (row,) = read(content, name, text_fields=("text",))
    assert (row.id, row.text) == ("1", "c")


@pytest.mark.parametrize(
    ("content", "options", "cells"),
    [
        ("id^text\n1^a,b\n", {"delimiter": "^"}, ["1", "a,b"]),
        ("id,text\n1,'a,b'\n", {"quote": "'"}, ["1", "a,b"]),
        ("id,text\n1,'it''s, so'\n", {"quote": "'"}, ["1", "it's, so"]),
        ('id,text\n1,"a\n', {"quote": "none"}, ["1", '"a']),
        ('id,text\n1,"say \\"hi\\", x"\n', {}, ["1", 'say "hi", x']),
        ("id,text\n1,a\\, b\\nc\n", {"escape": "\\"}, ["1", "a, b\nc"]),
        ("id,text\n1,\\N\n", {"escape": "\\"}, ["1", ""]),
        ('id,text\n1,"a\\\nb"\n', {"escape": "\\"}, ["1", "a\nb"]),
        ("Report\n\nid,text\n1,a\n", {"skip_lines": 2}, ["1", "a"]),
        ("# made today\nid,text\n1,a\n", {"skip_lines": 1}, ["1", "a"]),
    ],
)
def test_a_dialect_is_read_as_given_or_detected(
    read: Any, content: str, options: dict[str, Any], cells: list[str]
) -> None:
    (found,) = fields(read(content, "in.csv", text_fields=("id",), **options))
    assert list(found.values()) == cells


def test_columns_without_a_header_are_numbered(read: Any) -> None:
    rows = read("1,Where is it?\n2,I want my money\n", "in.csv", has_header=False)
    assert fields(rows) == [
        {"column_1": "1", "column_2": "Where is it?"},
        {"column_1": "2", "column_2": "I want my money"},
    ]
    assert [row.place.line for row in rows] == [1, 2]


@pytest.mark.parametrize(
    ("content", "option"),
    [
        ("1,Where is my parcel now?\n2,I want my money back\n", "--no-header"),
        ("Export of today\nid;text\n1;a\n2;b\n", "--skip-lines 1"),
        ("Export of today\n\nid;text\n1;a\n2;b\n", "--skip-lines 2"),
        ("Sales,,\n\nid,text,note\n1,a,b\n2,c,d\n", "--skip-lines 2"),
        ("Sales,,\n,,\nid,text,note\n1,a,b\n2,c,d\n", "--skip-lines 2"),
        ('id,"text" of it\n1,a\n', "--quote none"),
        ("a,b;c,d;e\n1,2;3,4;5\n6,7;8,9;0\n1,2;3,4;5\n", "--delimiter"),
    ],
)
def test_an_ambiguous_table_is_refused_with_the_option_that_resolves_it(read: Any, content: str, option: str) -> None:
    with pytest.raises(UsageError) as refused:
        read(content, "in.csv")
    assert option in (refused.value.hint or "")


@pytest.mark.parametrize("name", ["delimiter", "quote", "escape"])
@pytest.mark.parametrize("given", ["ab", "é", "\n"])
def test_dialect_characters_must_be_ascii(read: Any, name: str, given: str) -> None:
    with pytest.raises(UsageError, match=f"--{name}"):
        read("id,text\n1,a\n", "in.csv", **{name: given})


GERMAN = "id;text\n1;Bitte um Rückruf\n2;Der Drücker klemmt\n3;Grüße aus Köln\n"
JAPANESE = "id,text\n1,プリンタが燃えています\n2,荷物が届きません\n3,返金してください\n"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [(GERMAN, "cp1252"), (JAPANESE, "shift_jis"), (GERMAN, "utf-16"), (GERMAN, "utf-16-le"), (JAPANESE, "utf-32")],
)
@pytest.mark.parametrize("given_encoding", ["auto", None])
def test_a_text_is_read_in_its_encoding(read: Any, text: str, encoding: str, given_encoding: str | None) -> None:
    rows = read(text.encode(encoding), "in.csv", encoding=given_encoding or encoding)
    assert [row.text for row in rows] == [line[2:] for line in text.splitlines()[1:]]


@pytest.mark.parametrize("encoding", ["cp1252", "shift_jis"])
def test_an_undetected_encoding_is_refused_with_the_option_for_it(read: Any, encoding: str) -> None:
    text = GERMAN if encoding == "cp1252" else JAPANESE
    with pytest.raises(UsageError) as refused:
        read(text.encode(encoding), "in.csv")
    assert f"--encoding {encoding}" in (refused.value.hint or "")


def test_a_damaged_row_loses_only_itself_in_any_encoding(read: Any) -> None:
    content = JAPANESE.encode("shift_jis").replace("荷".encode("shift_jis"), b"\x81\xff")
    first, bad, last = read(content, "in.csv", encoding="shift_jis")
    assert (bad.kind, bad.place.line) == ("bad_encoding", 3)
    assert (first.id, last.id) == ("1", "3")


def test_an_unknown_encoding_is_refused(read: Any) -> None:
    for name in ("utf-9", "rot13", "base64"):
        with pytest.raises(UsageError, match="--encoding"):
            read("id,text\n1,a\n", "in.csv", encoding=name)


cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), max_size=12)


@given(
    rows=st.lists(st.tuples(cells.filter(str.strip), cells), min_size=1, max_size=6),
    delimiter=st.sampled_from(",;|\t^"),
    quote=st.sampled_from("\"'"),
    escape=st.sampled_from([None, "\\", "~"]),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC, csv.QUOTE_NONE]),
    doubles=st.booleans(),
    line_end=st.sampled_from(["\n", "\r\n"]),
)
def test_csv_module_output_in_any_dialect_is_read_back_with_its_options(
    rows: list[tuple[str, str]],
    delimiter: str,
    quote: str,
    escape: str | None,
    quoting: Any,
    *,
    doubles: bool,
    line_end: str,
) -> None:
    dialect: dict[str, Any] = {"quotechar": quote, "quoting": quoting, "lineterminator": line_end}
    written = io.StringIO(newline="")
    writer = csv.writer(
        written, delimiter=delimiter, escapechar=escape, doublequote=doubles or escape is None, **dialect
    )
    try:
        writer.writerows([("text", "note"), *rows])
    except csv.Error:
        assume(not "something has to be escaped, and nothing escapes")
    quote_option = "none" if quoting == csv.QUOTE_NONE and escape is None else quote
    options = ReaderOptions(text_fields=("text",), delimiter=delimiter, quote=quote_option, escape=escape or "none")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "in.csv")
        path.write_bytes(written.getvalue().encode())
        read = list(read_rows(resolve_inputs([str(path)], options), options))
    assert [tuple(row.fields.values()) for row in read if isinstance(row, Row)] == rows


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_an_escaped_line_end_is_part_of_a_cell_without_quotes(read: Any, end: str) -> None:
    content = end.join(("id,text,note", "1,a\\", "b,c", "2,d,e\\", "3,f,g", ""))
    rows = read(content, "in.csv", escape="\\", text_fields=("text",))
    assert [row.text for row in rows if isinstance(row, Row)] == [f"a{end}b", "f"]
    assert [(row.place.line, row.kind) for row in rows if not isinstance(row, Row)] == [(4, "bad_csv")]
