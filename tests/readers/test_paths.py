from typing import Any

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.readers.paths import Spread, is_there, paths_of, value_at

ROW: dict[str, Any] = {
    "doc": {"body": "b", "n": 1, "empty": None},
    "doc.body": "literal",
    "tags": ["x", None, "y"],
    "messages": [{"content": "m"}, {"role": "r"}, {"content": ["c", "d"]}],
    "a.b": {"c.d": {"e": 1}},
    "odd[0]": "name",
    "none": [],
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("doc.body", "literal"),
        ("doc.n", 1),
        ("doc.empty", None),
        ("doc.gone", None),
        ("doc.n.deeper", None),
        ("tags[]", Spread(("x", "y"))),
        ("tags[2]", "y"),
        ("tags[9]", None),
        ("messages[].content", Spread(("m", ["c", "d"]))),
        ("messages[2].content[]", Spread(("c", "d"))),
        ("messages[0].content", "m"),
        ("none[]", Spread()),
        ("odd[0]", "name"),
        ("a.b", {"c.d": {"e": 1}}),
        (".", None),
        ("doc..n", None),
        ("tags[", None),
    ],
)
def test_a_path_leads_to_a_value_but_an_existing_field_name_takes_precedence(path: str, value: Any) -> None:
    assert value_at(ROW, path) == value


def test_null_counts_as_present_and_a_missing_name_does_not() -> None:
    assert [is_there(ROW, path) for path in ("doc.empty", "none[]", "doc.gone", "messages[].gone", "x")] == [
        True,
        True,
        False,
        False,
        False,
    ]


def test_the_paths_of_rows_are_listed_with_their_lists() -> None:
    rows: list[dict[str, Any]] = [{"a": {"b": 1}}, {"t": ["x"], "m": [{"c": "x"}]}]
    assert paths_of(rows) == ["a", "a.b", "t", "t[]", "m", "m[].c"]


def test_the_text_and_the_id_are_read_by_their_paths(read: Any) -> None:
    rows = read(
        '{"meta": {"id": 7}, "doc": {"title": "T", "body": "B"}, "tags": ["x", "y"]}\n{"doc": {"body": "C"}}\n'
        '{"meta": {"id": 8}, "doc": {"body": 5}}\n',
        text_fields=("doc.title", "doc.body", "tags[]"),
        id_field="meta.id",
    )
    assert (rows[0].id, rows[0].text) == (7, "T\n\nB\n\nx\n\ny")
    assert [row.kind for row in rows[1:]] == ["missing_id", "text_not_a_string"]


def test_a_list_named_without_brackets_is_rejected_with_the_path_that_joins_it(read: Any) -> None:
    (row,) = read('{"tags": ["x", "y"]}\n', text_fields=("tags",))
    assert row.message == "the field 'tags' is a list, not a string; --text-field 'tags[]' joins it"


@pytest.mark.parametrize(
    ("asked", "likely"), [("doc.titel", "doc.title"), ("dco", "doc"), ("tagz[]", "tags[]"), ("tags[].x", None)]
)
def test_a_misspelt_path_is_refused_with_a_suggestion(read: Any, asked: str, likely: str | None) -> None:
    with pytest.raises(UsageError, match="there is no field") as caught:
        read('{"doc": {"title": "T"}, "tags": ["x"]}\n', text_fields=(asked,))
    assert caught.value.hint is not None
    assert likely is None or f"did you mean '{likely}'?" in caught.value.hint
    assert "fields are 'doc', 'tags'" in caught.value.hint


def test_a_field_that_only_late_rows_have_is_not_taken_for_a_misspelling(read: Any) -> None:
    rows = read('{"a": "x"}\n' * 150 + '{"a": "x", "late": "y"}\n', text_fields=("a", "late"))
    assert rows[-1].text == "x\n\ny"


def test_a_field_name_with_a_comma_takes_precedence_over_two_names(read: Any) -> None:
    row = '{"Title, long": "T", "Title": "t", "long": "l"}\n'
    assert [one.text for one in read(row, text_fields=("Title, long",))] == ["T"]
    assert [one.text for one in read(row, text_fields=("Title,long",))] == ["t\n\nl"]
