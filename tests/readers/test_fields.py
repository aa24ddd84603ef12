import json
from pathlib import Path
from typing import Any

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.core.rows import Row
from llmbatch.readers import FieldChoice, ReaderOptions, read_rows, resolve_inputs


@pytest.fixture
def choose(tmp_path: Path) -> Any:
    def chosen(content: str, name: str = "in.jsonl", **options: Any) -> FieldChoice:
        (tmp_path / name).write_text(content)
        reading = ReaderOptions(**options)
        choices: list[FieldChoice] = []
        list(read_rows(resolve_inputs([str(tmp_path / name)], reading), reading, on_fields=choices.append))
        (choice,) = choices
        return choice

    return chosen


def lines(*rows: object) -> str:
    return "".join(f"{json.dumps(row)}\n" for row in rows)


@pytest.mark.parametrize(
    ("columns", "id_field", "text_fields"),
    [
        ("id,text", "id", ("text",)),
        ("ID,Text", "ID", ("Text",)),
        ("key,uuid,content", "uuid", ("content",)),
        ("_id,document", "_id", ("document",)),
        ("doc_id,message,title", "doc_id", ("message",)),
        ("id,title,description", "id", ("title", "description")),
        ("id,body,Title", "id", ("Title", "body")),
        ("title,text", None, ("text",)),
        ("title,author", None, ("title",)),
        ("id,description,text", "id", ("text",)),
    ],
)
def test_fields_are_detected_by_their_names(
    choose: Any, columns: str, id_field: str | None, text_fields: tuple[str, ...]
) -> None:
    names = columns.split(",")
    from_csv = choose(columns + "\n" + ",".join("x" * len(names)) + "\n", "in.csv")
    from_jsonl = choose(lines(dict.fromkeys(names, "x")))
    for choice in (from_csv, from_jsonl):
        assert (choice.id_field, choice.text_fields, choice.detected) == (id_field, text_fields, True)


def test_a_field_choice_names_its_file_and_whether_cells_are_untyped(choose: Any, tmp_path: Path) -> None:
    file = str(tmp_path / "in.csv")
    assert choose("id;text\n1;a\n", "in.csv") == FieldChoice(file, "id", ("text",), detected=True, is_typed=False)


def test_fields_named_by_the_user_are_not_detected(choose: Any) -> None:
    choice = choose(lines({"n": 1, "t": "a"}), id_field="n", text_fields=("t",))
    assert (choice.id_field, choice.text_fields, choice.detected) == ("n", ("t",), False)


def test_an_id_is_detected_even_if_the_text_field_is_named(choose: Any) -> None:
    choice = choose(lines({"id": 1, "t": "a"}), text_fields=("t",))
    assert (choice.id_field, choice.detected) == ("id", True)


def test_a_text_field_is_never_also_the_id(choose: Any) -> None:
    assert choose(lines({"key": "a"}), text_fields=("key",)).id_field is None


def test_the_first_rows_may_lack_a_text(choose: Any) -> None:
    rows = [{"id": 1}, {"id": 2, "text": None}, {"id": 3, "text": 3}, {"id": 4, "text": "d"}]
    assert choose(lines(*rows)).text_fields == ("text",)


def test_a_better_field_that_is_empty_in_the_first_row_is_still_found(choose: Any) -> None:
    rows = [{"title": "A", "text": None}, {"title": "B", "text": "b"}]
    assert choose(lines(*rows)).text_fields == ("text",)


def test_a_better_field_that_is_always_empty_is_not_taken(choose: Any) -> None:
    assert choose(lines(*[{"message": "A", "text": None}] * 150)).text_fields == ("message",)


def test_a_field_is_chosen_by_name_alone_if_no_row_has_a_text(choose: Any) -> None:
    assert choose(lines({"text": 5})).text_fields == ("text",)


def test_without_a_text_like_field_the_error_lists_the_fields_seen(choose: Any) -> None:
    with pytest.raises(UsageError, match="no field looks like the text; fields are 'a', 'b'") as caught:
        choose(lines({"a": "x"}, {"b": "y"}))
    assert caught.value.hint == "specify it: --text-field NAME"


def test_only_the_first_hundred_rows_are_examined(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text(lines(*[{"a": "x"}] * 100, {"text": "late"}))
    with pytest.raises(UsageError, match="no field"):
        list(read_rows(resolve_inputs([str(path)], ReaderOptions()), ReaderOptions()))


def test_a_long_list_of_names_is_shortened(choose: Any) -> None:
    with pytest.raises(UsageError, match="'c19' and 30 more"):
        choose(lines({f"c{number}": 1 for number in range(50)}))


@pytest.mark.parametrize("options", [{"text_fields": ("txt",)}, {"id_field": "txt"}, {"text_fields": ("text", "txt")}])
def test_a_missing_named_column_is_refused(choose: Any, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="there is no column 'txt'") as caught:
        choose("id,text\n1,a\n", "in.csv", **options)
    assert caught.value.hint == "did you mean 'text'? columns are 'id', 'text'"


def test_a_table_without_a_text_like_column_is_refused(choose: Any) -> None:
    with pytest.raises(UsageError, match="no column looks like the text; columns are 'a', 'b'"):
        choose("a,b\n1,2\n", "in.csv")


def test_several_texts_are_joined_with_a_blank_line(read: Any) -> None:
    rows = read(
        lines({"t": "T", "b": "B"}, {"t": "T"}, {"t": None, "b": "B"}, {"t": " ", "b": "B"}), text_fields=("t", "b")
    )
    assert [row.text for row in rows] == ["T\n\nB", "T", "B", "B"]


def test_several_texts_of_a_csv_row_are_joined_in_the_same_way(read: Any) -> None:
    assert [row.text for row in read("t,b\nT,B\nT,\n,B\n", "in.csv", text_fields=("t", "b"))] == ["T\n\nB", "T", "B"]


def test_a_row_with_none_of_several_texts_is_rejected(read: Any) -> None:
    rows = read(lines({"x": 1}, {"t": "", "b": " "}, {"t": "T", "b": 2}), text_fields=("t", "b"))
    assert [row.kind for row in rows] == ["missing_text", "empty_text", "text_not_a_string"]


def test_a_text_keeps_its_surrounding_whitespace(read: Any) -> None:
    (row,) = read(lines({"text": "  a \n"}))
    assert row.text == "  a \n"


def test_without_an_id_field_the_index_is_the_id(read: Any) -> None:
    assert [row.id for row in read(lines({"text": "a"}, {"text": "b"}))] == [0, 1]


def test_a_row_without_the_detected_id_gets_its_index_as_id(read: Any) -> None:
    rows = read(lines({"id": "x", "text": "a"}, {"text": "b"}, {"id": None, "text": "c"}))
    assert [row.id for row in rows] == ["x", 1, 2]


def test_a_row_without_the_named_id_is_rejected(read: Any) -> None:
    first, *others = read(lines({"id": "x", "text": "a"}, {"text": "b"}, {"id": None, "text": "c"}), id_field="id")
    assert isinstance(first, Row)
    assert [row.kind for row in others] == ["missing_id", "missing_id"]


def test_an_empty_cell_is_not_an_id(read: Any) -> None:
    assert [row.id for row in read("id,text\n1,a\n,b\n", "in.csv")] == ["1", 1]
    assert read("id,text\n,b\n", "in.csv", id_field="id")[0].kind == "missing_id"


def test_ids_of_cells_stay_strings(read: Any) -> None:
    assert [row.id for row in read("id,text\n007,a\n1e5,b\n", "in.csv")] == ["007", "1e5"]
