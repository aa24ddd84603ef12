"""JSON that is not one object a line: the same rows, with their lines, and damage loses only its own row."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llmbatch.core.errors import UsageError
from llmbatch.core.rows import Rejection, Row
from llmbatch.readers import ReaderOptions, count_rows, read_rows, resolve_inputs
from llmbatch.readers.formats import Content, Unread, format_named

no_surrogates = st.characters(exclude_categories=["Cs"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**40), 10**40) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(no_surrogates) | st.sampled_from(['"', "\\", '\\"', "{", "}]", "[{", "\n{", "],", "//", "\x1e"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(no_surrogates), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
records = st.lists(
    st.dictionaries(st.text(no_surrogates), json_values, max_size=4).map(lambda row: {"text": "", **row}),
    min_size=1,
    max_size=5,
)

pieces = st.sampled_from([*(b"%c" % byte for byte in b'[]{}",:\\\na1/\x1e \xff'), b'{"text":"x"}', b'{"a":[{"b":1}]}'])

ROWS = [
    {"id": 1, "text": "a { [ b", "tags": ["x", {"y": "]"}]},
    {"id": 2, "text": 'c "q" \\ d'},
    {"id": 3, "text": "e"},
]


def items_of(content: bytes, piece: int = 0, **options: Any) -> list[Any]:
    chunks = [content[at : at + piece] for at in range(0, len(content), piece)] if piece else [content]
    return list(format_named("json").read(Content("in.json", iter(chunks)), ReaderOptions(**options)).items)


def fields_of(content: bytes, piece: int = 0) -> list[Any]:
    return [item.kind if isinstance(item, Unread) else item[2] for item in items_of(content, piece)]


def lines_of(content: bytes) -> list[int]:
    return [item.line if isinstance(item, Unread) else item[0] for item in items_of(content)]


def written(rows: list[Any]) -> Iterator[str]:
    """The same rows in the layouts that programs write."""
    yield json.dumps(rows)
    yield json.dumps(rows, indent=2)
    yield json.dumps(rows, indent=0)
    yield json.dumps(rows, indent="\t", ensure_ascii=False).replace("\n", "\r\n")
    yield "[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n"
    yield "[" + "\n,".join(map(json.dumps, rows)) + "]"
    yield "\n\n".join(json.dumps(row, indent=4) for row in rows)
    yield "".join(json.dumps(row, indent=1) for row in rows)
    yield "".join(map(json.dumps, rows))
    yield "".join(f"\x1e{json.dumps(row)}\n" for row in rows)
    yield "".join(f"\x1e{json.dumps(row, indent=2)}\n" for row in rows)
    yield "".join(json.dumps([row]) for row in rows)
    yield "".join(json.dumps(row) + "\n" for row in rows)
    yield json.dumps({"count": len(rows), "more": {"a": [1, "]"]}, "data": rows, "next": None})
    yield json.dumps({"type": "FeatureCollection", "name": "x", "features": rows}, indent=2)
    yield json.dumps({"took": 3, "hits": {"total": {"value": 3}, "hits": rows}})


@pytest.mark.parametrize("content", list(written(ROWS)))
@pytest.mark.parametrize("piece", [0, 1, 7])
def test_every_layout_gives_the_same_rows(content: str, piece: int) -> None:
    assert fields_of(content.encode(), piece) == ROWS


@given(records)
@example([{"text": {"\\": "\\"}}])
def test_any_rows_are_read_the_same_from_an_array_and_concatenated(rows: list[Any]) -> None:
    for indent in (None, 0, 2):
        array = json.dumps(rows, indent=indent, ensure_ascii=False).encode()
        stream = "\n".join(json.dumps(row, indent=indent) for row in rows).encode()
        assert fields_of(array) == fields_of(array, 3) == fields_of(stream) == fields_of(stream, 3) == rows


@given(records, st.data())
def test_truncation_is_reported_and_the_rows_before_it_are_read(rows: list[Any], data: st.DataObject) -> None:
    content = json.dumps(rows, indent=data.draw(st.sampled_from([None, 2]))).encode()
    cut = data.draw(st.integers(1, len(content) - 1))
    items = fields_of(content[:cut])
    assert items[-1] == "bad_json"
    assert items[:-1] == rows[: len(items) - 1]


@example(b"[{\n[", 1)
@example(b'[{"a":[\n{},\n{}\n]{', 4)
@given(st.lists(pieces, max_size=30).map(b"".join), st.integers(1, 60))
def test_arbitrary_bytes_do_no_harm_and_counting_agrees_with_reading(content: bytes, limit: int) -> None:
    whole = items_of(content, max_row_bytes=limit)
    lines = [item.line if isinstance(item, Unread) else item[0] for item in whole]
    assert lines == sorted(lines)
    assert format_named("json").count(Content("in.json", iter([content])), ReaderOptions(max_row_bytes=limit)) == len(
        whole
    )
    in_pieces = items_of(content, 1, max_row_bytes=limit)
    assert [item.kind if isinstance(item, Unread) else item for item in in_pieces] == [
        item.kind if isinstance(item, Unread) else item for item in whole
    ]


def test_a_row_has_the_line_number_where_it_begins() -> None:
    assert lines_of(b'[\n  {\n    "a": 1\n  },\n\n  {"a": 2}, {"a": 3}\n]') == [2, 6, 6]
    assert lines_of(b'{\n"a": 1\n}\n\n{\n"a": 2}\n') == [1, 5]


@pytest.mark.parametrize(
    "damaged",
    [
        '{"text": "b}',
        '{"text": "b"',
        '{"text": "b", "tags": ["x"}',
        '{"text": "b" "c"}',
        '{"text": "b",}',
        '{"text": "b\nc"}',
        '{"text": b}',
        '{"text": "b"]',
        "not JSON",
        '{"text": "b", // a remark\n  "n": 1}',
    ],
)
@pytest.mark.parametrize("begin", ["[\n", "[\n  ", ""])
def test_damage_loses_only_its_own_row(damaged: str, begin: str) -> None:
    indentation, comma = begin.removeprefix("[\n"), "," if begin else ""
    rows = ['{"text": "a",\n\n "n": 1}', damaged, '{"text": "c"}', '{"text": "d"}']
    content = begin + f"{comma}\n{indentation}".join(rows) + ("\n]\n" if begin else "\n")
    assert fields_of(content.encode()) == [{"text": "a", "n": 1}, "bad_json", {"text": "c"}, {"text": "d"}]
    assert lines_of(content.encode())[1] == content[: content.index(damaged)].count("\n") + 1


def test_without_line_breaks_damage_loses_its_row_or_reports_losing_the_rest() -> None:
    assert fields_of(b'[{"text": "a"}, {"text": "b\nc"}, {"text": "d"}]') == [{"text": "a"}, "bad_json", {"text": "d"}]
    assert fields_of(b'[{"text": "a"}, {"text": b}, {"text": "d"}]') == [{"text": "a"}, "bad_json", {"text": "d"}]
    *_, last = items_of(b'[{"text": "a"}, {"text": ["b"}, {"text": "d"}]')
    assert isinstance(last, Unread)
    assert "the rest cannot be separated into rows" in last.message


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        ('[\n{"a": 1},\n{"a": 2},\n]', 3, "there is a comma before the bracket that closes the list"),
        ('[\n{"a": 1},\n,\n{"a": 2}\n]', 3, "there is an extra comma"),
        ('[\n{"a": 1},\n// a remark, too\n{"a": 2}\n]', 3, "is not JSON: no value starts like this"),
        ('// a remark\n[\n{"a": 1},\n{"a": 2}\n]', 1, "is not JSON: no value starts like this"),
        ('[\n{"a": 1}\n{"a": 2}\n]', 3, "the values of this list have no commas between them"),
        ('[\n{"a": 1},\n{"a": 2}\n', 4, "the input ends before the list does: the rest is missing"),
        ('[\n{"a": 1},\n{"a": 2}\n]]', 4, "is not JSON: no value starts like this"),
        ('[\n{"a": 1},\n7,\n{"a": 2}\n]', 3, "is JSON, but not an object with fields"),
        ('[\n{"a": 1},\n["x", "y"],\n{"a": 2}\n]', 3, "is JSON, but not an object with fields"),
        ('[\n{"a": 1},\n"x, [y",\n{"a": 2}\n]', 3, "is JSON, but not an object with fields"),
    ],
)
def test_invalid_json_between_rows_is_reported_with_its_line(content: str, line: int, message: str) -> None:
    items = items_of(content.encode())
    (bad,) = [item for item in items if isinstance(item, Unread)]
    assert (bad.line, bad.message) == (line, message)
    assert [item[2] for item in items if not isinstance(item, Unread)] == [{"a": 1}, {"a": 2}]


def test_a_truncated_record_of_a_json_sequence_loses_only_itself() -> None:
    content = b'\x1e{"text": "a"}\n\x1e{"text": "tru\x1e{"text": "b"}\n'
    assert fields_of(content) == [{"text": "a"}, "bad_json", {"text": "b"}]


def test_a_mistake_inside_a_row_of_many_lines_is_reported_with_its_line() -> None:
    (bad,) = items_of(b'[\n  {\n    "a": 1,\n    "b": x\n  }\n]')
    assert bad.line == 2
    assert "line 3 of the row, column 10" in bad.message


def test_rows_of_a_list_in_an_object_name_the_list() -> None:
    content = json.dumps({"meta": {"page": 1}, "data": ROWS}).encode()
    records = format_named("json").read(Content("in.json", iter([content])), ReaderOptions())
    assert records.findings == ("one object, its rows from the list 'data'",)


@pytest.mark.parametrize("indent", [None, 2])
def test_a_document_with_a_list_of_objects_is_one_row(indent: int | None) -> None:
    document = {"id": 1, "text": "a", "comments": [{"by": "b", "note": "c"}]}
    content = json.dumps(document, indent=indent).encode()
    assert fields_of(content) == [document]
    chat = {"id": 1, "messages": [{"role": "user", "said": "c"}]}
    assert [
        item[2] for item in items_of(json.dumps(chat, indent=indent).encode(), text_fields=("messages[].said",))
    ] == [chat]


def test_empty_objects_do_not_affect_layout_detection() -> None:
    rows = [{}, {}, {"a": 1}, {}]
    assert fields_of(b'{}\n\n{ }\n{\n  "a": 1\n}\n{}\n') == rows
    assert fields_of(b'{}\n{}\n{"a": 1}\n{}\n') == rows


def test_two_objects_with_lists_are_two_rows() -> None:
    rows = [{"data": [{"a": 1}]}, {"data": [{"a": 2}]}]
    assert fields_of("\n".join(map(json.dumps, rows)).encode()) == rows


def test_one_object_with_several_lists_is_refused_with_their_names() -> None:
    with pytest.raises(UsageError, match="several lists: 'users', 'tickets'"):
        items_of(json.dumps({"users": [{"a": 1}], "tickets": [{"b": 1}]}).encode())


def test_a_large_list_in_an_object_is_streamed() -> None:
    rows = [{"text": "x" * 1000, "n": number} for number in range(1500)]
    content = json.dumps(
        {"meta": {"page": 1, "of": [1, 2]}, "result": {"items": rows, "more": [[1]]}, "end": 1}
    ).encode()
    assert fields_of(content, 256 * 1024) == rows
    assert fields_of(content + b'{"a": 1}', 256 * 1024) == [*rows, "bad_json"]
    assert fields_of(content[:-1], 256 * 1024) == [*rows, "bad_json"]


def test_a_row_over_the_limit_is_skipped() -> None:
    content = json.dumps([{"a": 1}, {"a": "x" * 5000, "b": [{}]}, {"a": 2}]).encode()
    for piece in (0, 100):
        items = items_of(content, piece, max_row_bytes=2000)
        assert [item.kind if isinstance(item, Unread) else item[2] for item in items] == [
            {"a": 1},
            "too_large",
            {"a": 2},
        ]


@pytest.mark.parametrize("name", ["in.json", "in.jsonl", "in.geojson"])
def test_a_file_with_any_json_suffix_is_read_by_its_content(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    for content in written(ROWS):
        path.write_text(content)
        inputs = resolve_inputs([str(path)], ReaderOptions())
        rows = list(read_rows(inputs, ReaderOptions()))
        assert [row.fields for row in rows if isinstance(row, Row)] == ROWS
        assert count_rows(inputs, ReaderOptions()) == 3


@pytest.mark.parametrize(
    "first", ['{"text": "a"', '{"text": "a', '{"text": ["a"}', "x", '{"text": "a"} x', "7", "null"]
)
def test_a_damaged_first_line_does_not_change_the_detected_layout(read: Any, first: str) -> None:
    bad, *rows = read(first + '\n{"text": "b"}\n{"text": "c}\n{"text": "d"}\n')
    assert isinstance(bad, Rejection)
    assert [getattr(row, "text", None) for row in rows] == ["b", None, "d"]


def test_two_rows_on_the_first_line_are_read_as_two(read: Any) -> None:
    assert [row.text for row in read('{"text": "a"}{"text": "b"}\n{"text": "c"}\n')] == ["a", "b", "c"]


def test_leading_whitespace_is_skipped_in_linear_time(read: Any) -> None:
    (blank, row) = read(b" " * 20_000_000 + b'\n{"text": "x"}\n', max_row_bytes=1_000_000)
    assert (blank.kind, row.text) == ("too_large", "x")
