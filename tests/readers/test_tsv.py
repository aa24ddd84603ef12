from typing import Any

import pytest

from llmbatch.core.rows import Rejection


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("plain, with a comma", "plain, with a comma"),
        ('"He said', '"He said'),
        ('"Foo" bar', '"Foo" bar'),
        ('He said "Foo"', 'He said "Foo"'),
        ('"', '"'),
        ('"Foo", "Bar"', '"Foo", "Bar"'),
        ('"She said ""no""."', 'She said "no".'),
        ('"all of it"', "all of it"),
        ('"with a\ttab"', "with a\ttab"),
        ("form\x0cfeed\x0bline\u2028separator", "form\x0cfeed\x0bline\u2028separator"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_quotes_are_text_unless_they_enclose_a_whole_cell(read: Any, cell: str, text: str, end: str) -> None:
    rows = read(end.join(["id\ttext\tlang", f"1\t{cell}\ten", "2\tb\ten", ""]), "in.tsv")
    assert [(row.text, row.fields["lang"], row.place.line) for row in rows] == [(text, "en", 2), ("b", "en", 3)]


@pytest.mark.parametrize("cell", ['"He said', '"Foo" bar', '"all"', '""'])
def test_a_last_cell_with_quotes_loses_no_other_row(read: Any, cell: str) -> None:
    assert [row.id for row in read(f"text\tid\nx\t{cell}\ny\t2\n", "in.tsv")][1] == "2"


def test_a_tab_in_quotes_separates_cells_if_that_gives_the_right_count(read: Any) -> None:
    (row,) = read('text\tnote\n"Foo\tbar"\n', "in.tsv")
    assert dict(row.fields) == {"text": '"Foo', "note": 'bar"'}


@pytest.mark.parametrize("line", ["1\ta\tb", '1\t"a\tb', '1\t"a\t"b\tc"'])
def test_a_wrong_number_of_cells_is_rejected(read: Any, line: str) -> None:
    first, bad, last = read(f"id\ttext\n0\tx\n{line}\n2\ty\n", "in.tsv")
    assert isinstance(bad, Rejection)
    assert (bad.kind, bad.raw, bad.place.line) == ("bad_columns", line.encode(), 3)
    assert (first.text, last.text) == ("x", "y")


def test_a_quoted_header_is_unquoted(read: Any) -> None:
    (row,) = read('"id"\t"text"\n1\ta\n', "in.tsv")
    assert dict(row.fields) == {"id": "1", "text": "a"}
