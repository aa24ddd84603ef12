import json
from typing import Any

import pytest

from llmbatch.core.rows import Place, Rejection, Row
from llmbatch.readers import ReaderOptions, count_rows, resolve_inputs


def test_a_row_keeps_its_position_id_text_and_all_fields(read: Any, tmp_path: Any) -> None:
    (row,) = read('{"id": 7, "text": "Hello", "lang": "en"}\n')
    place = Place(str(tmp_path / "in.jsonl"), 1)
    assert row == Row(0, 7, "Hello", place, {"id": 7, "text": "Hello", "lang": "en"})


def test_the_last_line_needs_no_newline(read: Any) -> None:
    assert [row.text for row in read('{"text": "a"}\n{"text": "b"}')] == ["a", "b"]


def test_an_empty_file_has_no_rows(read: Any) -> None:
    assert read(b"") == []


def test_blank_lines_are_not_rows_but_count_as_lines(read: Any) -> None:
    rows = read('\n{"text": "a"}\r\n \t\r\n\n{"text": "b"}\n\n')
    assert [(row.index, row.place.line, row.text) for row in rows] == [(0, 2, "a"), (1, 5, "b")]


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\u0085", "\x7f"])
def test_only_a_newline_ends_a_line(read: Any, separator: str) -> None:
    (row,) = read(json.dumps({"text": f"a{separator}b"}, ensure_ascii=False) + "\n")
    assert row.text == f"a{separator}b"


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (b'{"text": "a"', "bad_json"),
        (b"{'text': 'a'}", "bad_json"),
        (b'{"text": "a", "x": NaN}', "bad_json"),
        (b'{"text": "a", "x": Infinity}', "bad_json"),
        (b'{"text": "\\ud800", "x": NaN}', "bad_json"),
        (b'{"text": "\xff\\ud800"}', "bad_encoding"),
        (b'{"text": "a"} {"text": "b"}', "bad_json"),
        (b"\x0c", "bad_json"),
        (b'{"text": "caf\xe9"}', "bad_encoding"),
        (b'["text"]', "not_an_object"),
        (b'"text"', "not_an_object"),
        (b"null", "not_an_object"),
        (b'{"id": 1}', "missing_text"),
        (b'{"text": null}', "missing_text"),
        (b'{"text": 5}', "text_not_a_string"),
        (b'{"text": ["a"]}', "text_not_a_string"),
        (b'{"text": ""}', "empty_text"),
        (b'{"text": " \\n\\u00a0"}', "empty_text"),
        (b'{"id": [1], "text": "a"}', "bad_id"),
        (b'{"id": {}, "text": "a"}', "bad_id"),
    ],
)
def test_a_bad_row_is_rejected_with_its_bytes_and_does_not_renumber_others(read: Any, line: bytes, kind: str) -> None:
    first, bad, last = read(b'{"id": "a", "text": "A"}\n' + line + b'\r\n{"id": "c", "text": "C"}\n')
    assert (first.index, last.index, last.place.line, last.text) == (0, 2, 3, "C")
    assert isinstance(bad, Rejection)
    assert (bad.kind, bad.index, bad.place.line, bad.raw) == (kind, 1, 2, line)


def test_a_lone_surrogate_is_replaced_and_flagged(read: Any) -> None:
    cut, whole = read(
        b'{"id": 123456789012345678901234567890, "text": "Great \\ud83d", "x": ["\\udc00"]}\n'
        b'{"text": "\\ud83d\\ude00"}\n'
    )
    assert (cut.text, cut.fields["x"], cut.flags) == ("Great \ufffd", ["\ufffd"], ("surrogates_replaced",))
    assert cut.id == 123456789012345678901234567890
    assert (whole.text, whole.flags) == ("😀", ())


def test_an_error_names_the_column_and_does_not_echo_the_content(read: Any) -> None:
    (bad,) = read('{"text": secret}\n')
    assert "column 10" in bad.message
    assert "secret" not in bad.message


def test_bad_rows_before_the_fields_are_known_are_rejected(read: Any) -> None:
    assert [row.kind for row in read("bad\nworse\n")] == ["bad_json", "bad_json"]


@pytest.mark.parametrize("number", [2**63, 2**64, -(2**63) - 1, 10**307, 123456789012345678901234567890, 10**19])
def test_an_integer_of_any_size_stays_exact(read: Any, number: int) -> None:
    (row,) = read(json.dumps({"id": number, "text": "a", "more": [number]}))
    assert row.id == number
    assert type(row.id) is int
    assert row.fields["more"] == [number]


def test_two_large_ids_that_are_equal_as_floats_stay_distinct(read: Any) -> None:
    first, second = read('{"id": 123456789012345678901, "text": "a"}\n{"id": 123456789012345678902, "text": "b"}\n')
    assert first.id != second.id


@pytest.mark.parametrize("digits", [310, 5_000])
def test_a_number_beyond_the_float_range_is_rejected(read: Any, digits: int) -> None:
    (bad,) = read(f'{{"text": "a", "n": {"1" * digits}}}\n')
    assert bad.message == "is not JSON: number is infinity when parsed as double at column 20"


@pytest.mark.parametrize("depth", [990, 1100, 100_000])
def test_very_deep_nesting_does_no_harm(read: Any, depth: int) -> None:
    nested = "[" * depth + "1234567890123456789012" + "]" * depth
    (item,) = read(f'{{"text": "a", "n": {nested}}}\n')
    assert isinstance(item, Row) or item.kind == "bad_json"


def test_the_last_of_duplicate_keys_counts(read: Any) -> None:
    (row,) = read('{"text": "a", "text": "b"}\n')
    assert row.text == "b"


@pytest.mark.parametrize("value", [1, "1", 1.5, True, ""])
def test_an_id_keeps_its_type(read: Any, value: Any) -> None:
    (row,) = read(json.dumps({"id": value, "text": "a"}))
    assert (row.id, type(row.id)) == (value, type(value))


def test_nul_is_read_as_text(read: Any) -> None:
    (row,) = read('{"text": "a\\u0000b"}\n')
    assert row.text == "a\0b"


def test_a_row_over_the_limit_is_rejected_and_the_next_is_read(read: Any) -> None:
    long = b'{"text": "' + b"x" * 700_000 + b'"}'
    rows = read(b'{"text": "a"}\n' + long + b'\n{"text": "b"}\n' + long, max_row_bytes=500_000)
    assert [row.kind if isinstance(row, Rejection) else row.text for row in rows] == [
        "a",
        "too_large",
        "b",
        "too_large",
    ]
    assert rows[1].raw == long[:1024]
    assert rows[1].message == "is longer than 500,000 bytes"
    assert [row.place.line for row in rows] == [1, 2, 3, 4]


def test_a_row_at_the_limit_is_read(read: Any) -> None:
    line = '{"text": "abc"}'
    assert isinstance(read(line, max_row_bytes=len(line))[0], Row)
    assert isinstance(read(line, max_row_bytes=len(line) - 1)[0], Rejection)


def test_a_line_longer_than_many_chunks_is_read_whole(read: Any) -> None:
    text = "wörd " * 500_000
    (row,) = read(json.dumps({"text": text}, ensure_ascii=False))
    assert row.text == text


def test_counting_agrees_with_reading(read: Any, tmp_path: Any) -> None:
    rows = read(b'\xef\xbb\xbf\n{"text": "a"}\r\n\n  \nbad\n\xff\n[]\n{"text": "b"}')
    assert count_rows(resolve_inputs([str(tmp_path / "in.jsonl")], ReaderOptions()), ReaderOptions()) == len(rows) == 5
