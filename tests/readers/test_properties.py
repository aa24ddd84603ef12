"""Properties of all inputs, checked with hypothesis."""

import csv
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llmbatch.core.errors import UsageError
from llmbatch.core.rows import Rejection, Row
from llmbatch.readers import ReaderOptions, count_rows, read_rows, resolve_inputs
from llmbatch.readers.faults import Fault
from llmbatch.readers.formats import Content, Parsed, Unread, format_named
from llmbatch.readers.lines import line_blocks

Item = Row | Rejection

no_surrogates = st.characters(exclude_categories=["Cs"])
texts = st.text(no_surrogates).filter(str.strip)
awkward = st.text(st.sampled_from('a,;"\t\n\r \u2028é')).filter(str.strip)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**40), 10**40) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(no_surrogates),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(no_surrogates), inner),
    max_leaves=8,
)  # fmt: skip
ids = st.integers(-(10**40), 10**40) | st.text(no_surrogates) | st.booleans()
pieces = st.sampled_from(
    [b'"', b'""', b",", b";", b"\n", b"\r\n", b"\t", b"a", b"text", b"id", b'{"text":"', b'"}', b"\xff", b"\0", b"{}"]
)
jumble = st.binary() | st.lists(pieces).map(b"".join)


def read_file(content: bytes, name: str, **options: Any) -> list[Item]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(content)
        reading = ReaderOptions(**options)
        inputs = resolve_inputs([str(path)], reading)
        rows = list(read_rows(inputs, reading))
        assert count_rows(inputs, reading) == len(rows)
        return rows


@given(st.lists(st.fixed_dictionaries({"id": ids, "text": texts, "more": json_values})))
def test_json_output_is_read_back(rows: list[dict[str, Any]]) -> None:
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    read = read_file(content, "in.jsonl", text_fields=("text",))
    assert [row.fields for row in read if isinstance(row, Row)] == rows
    assert [(row.id, type(row.id)) for row in read if isinstance(row, Row)] == [(r["id"], type(r["id"])) for r in rows]


@given(
    st.lists(st.tuples(texts | awkward, st.text(no_surrogates) | awkward)),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([",", ";", "\t"]),
)
def test_csv_module_output_is_read_back(
    rows: list[tuple[str, str]], quoting: Any, line_end: str, delimiter: str
) -> None:
    # Python 3.11's csv does not quote a carriage return before a plain newline, which then reads as a line end.
    rows = [(text, note) for text, note in rows if line_end == "\r\n" or not note.endswith("\r")]
    written = io.StringIO(newline="")
    writer = csv.writer(written, quoting=quoting, lineterminator=line_end, delimiter=delimiter)
    writer.writerows([("text", "note"), *rows])
    read = read_file(written.getvalue().encode(), "in.csv", text_fields=("text",))
    assert [tuple(row.fields.values()) for row in read if isinstance(row, Row)] == rows
    assert [row.index for row in read] == list(range(len(rows)))


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters='\t\n"')).filter(str.strip)))
def test_unquoted_tsv_is_read_back(rows: list[str]) -> None:
    content = "n\ttext\tend\n" + "".join(f'"\t{text}\t"x" y\n' for text in rows)
    read = read_file(content.encode(), "in.tsv", text_fields=("text",))
    assert [row.text for row in read if isinstance(row, Row)] == rows


@given(st.lists(st.tuples(texts | awkward, st.text(no_surrogates) | awkward)))
def test_quoted_tsv_without_newlines_is_read_back(rows: list[tuple[str, str]]) -> None:
    rows = [(text, note) for text, note in rows if "\n" not in text + note]
    written = io.StringIO(newline="")
    csv.writer(written, dialect="excel-tab").writerows([("text", "note"), *rows])
    read = read_file(written.getvalue().encode(), "in.tsv", text_fields=("text",))
    assert [tuple(row.fields.values()) for row in read if isinstance(row, Row)] == rows


@given(jumble, st.sampled_from(["in.jsonl", "in.csv", "in.tsv", "in.jsonl.gz"]), st.integers(1, 40))
@example(b'id,text\n"', "in.csv", 40)
@example(b"\x1f\x8b", "in.csv", 40)
def test_arbitrary_bytes_do_no_harm(content: bytes, name: str, limit: int) -> None:
    try:
        rows = read_file(content, name, text_fields=("text",), max_row_bytes=limit)
    except UsageError:
        return
    assert [row.index for row in rows] == list(range(len(rows)))
    lines = [row.place.line for row in rows]
    assert lines == sorted(lines if "json" in name else set(lines)), "each row of a table begins on a line of its own"


@given(jumble, st.sampled_from(["in.csv", "in.tsv"]), st.integers(1, 40))
def test_arbitrary_bytes_below_a_header_do_no_harm(content: bytes, name: str, limit: int) -> None:
    header = b"id,text\n" if name == "in.csv" else b"id\ttext\n"
    try:
        rows = read_file(header + content, name, max_row_bytes=max(limit, len(header)))
    except UsageError as refused:
        assert "--encoding" in (refused.hint or ""), "most of it is in another encoding"  # noqa: PT017 - a refusal is one of two valid outcomes
        return
    assert [row.index for row in rows] == list(range(len(rows)))
    lines = content.count(b"\n") + 1
    assert len(rows) <= lines


@given(jumble, st.integers(1, 7), st.integers(1, 50))
def test_lines_do_not_depend_on_chunking(content: bytes, size: int, limit: int) -> None:
    cut = [content[at : at + size] for at in range(0, len(content), size)]
    whole = [line for block in line_blocks(iter([content]), limit) for line in block]
    assert [line for block in line_blocks(iter(cut), limit) for line in block] == whole
    expected = content.removesuffix(b"\n").split(b"\n") if content else []
    assert [line.raw if isinstance(line, Fault) else line for line in whole] == [line[:1024] for line in expected]
    assert [isinstance(line, Fault) for line in whole] == [len(line) > limit for line in expected]


@pytest.mark.parametrize("file_format", ["csv", "tsv"])
@given(content=jumble, size=st.integers(1, 7))
def test_records_do_not_depend_on_chunking(file_format: str, content: bytes, size: int) -> None:
    content = (b"id,text\n" if file_format == "csv" else b"id\ttext\n") + content

    def rows_of(chunks: list[bytes]) -> list[Parsed | Unread]:
        return list(format_named(file_format).read(Content("f", iter(chunks)), ReaderOptions()).items)

    assert rows_of([content[at : at + size] for at in range(0, len(content), size)]) == rows_of([content])
