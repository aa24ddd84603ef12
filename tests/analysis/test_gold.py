"""Gold labels read from files of various forms."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.analysis.gold import Gold, GoldOptions, _Collector, gold_issue_notes, read_gold
from llmbatch.core.errors import UsageError
from llmbatch.core.rows import Place, RowId
from llmbatch.readers import Record
from llmbatch.task.model import Task

TASK = Task.model_validate({"name": "mail", "labels": [{"name": "spam", "aliases": ["junk"]}, {"name": "ham"}]})


def gold(folder: Path, name: str, content: str, **options: str) -> Gold:
    (folder / name).write_text(content)
    return read_gold(GoldOptions(str(folder / name), **options), TASK)


def found(labels: Gold, row_id: RowId, *, typed: bool = True) -> str | None:
    key = labels.key_for(0, row_id, typed=typed)
    return None if key is None else labels.labels[key]


def test_a_number_and_a_text_are_different_ids(tmp_path: Path) -> None:
    labels = gold(tmp_path, "gold.jsonl", '{"id": 1, "label": "spam"}\n{"id": "1", "label": "ham"}\n')
    assert (found(labels, 1), found(labels, "1"), found(labels, True)) == ("spam", "ham", None)


def test_a_csv_cell_has_no_type_and_matches_the_number_too(tmp_path: Path) -> None:
    labels = gold(tmp_path, "gold.csv", "id,label\n1,spam\n007,ham\n")
    assert (found(labels, 1), found(labels, "1"), found(labels, "007"), found(labels, 7)) == (
        "spam",
        "spam",
        "ham",
        None,
    )


def test_the_runs_own_csv_cells_have_no_type_either(tmp_path: Path) -> None:
    labels = gold(tmp_path, "gold.jsonl", '{"id": 1, "label": "spam"}\n')
    assert (found(labels, "1", typed=False), found(labels, "1"), found(labels, "01", typed=False)) == (
        "spam",
        None,
        None,
    )


def test_labels_are_read_like_answers_by_alias_and_in_any_case(tmp_path: Path) -> None:
    labels = gold(tmp_path, "gold.tsv", "doc_id\tcategory\na\tJUNK\nb\t Ham\n")
    assert (found(labels, "a"), found(labels, "b")) == ("spam", "ham")


def test_without_ids_rows_are_matched_by_position(tmp_path: Path) -> None:
    labels = gold(tmp_path, "gold.csv", "expected\nspam\n\nham\n")
    assert labels.by_row
    assert [labels.key_for(row, "x", typed=True) for row in range(3)] == [("row", 0), ("row", 1), None]


def test_every_skipped_row_is_reported_with_its_position(tmp_path: Path) -> None:
    lines = [
        '{"id": "a", "category": "spam"}',
        '{"id": "a", "category": "spam"}',
        '{"id": "b", "category": "spam"}',
        '{"id": "b", "category": "ham"}',
        '{"id": "b", "category": "ham"}',
        '{"id": "c", "category": "tofu"}',
        '{"id": "d", "category": ""}',
        '{"category": "ham"}',
        "nonsense",
        '{"id": "e", "category": "ham", "decided_by": "model"}',
        '{"row": 9, "id": "f", "category": "ham", "confidence": null, "decided_by": "human"}',
        '{"row": 10, "id": "g", "category": "ham", "confidence": 0.9}',
    ]
    labels = gold(tmp_path, "gold.jsonl", "\n".join(lines))
    assert {key[1]: label for key, label in labels.labels.items()} == {"a": "spam", "f": "ham"}
    assert {key[1]: label for key, label in labels.unanswerable.items()} == {"c": "tofu"}
    issues = labels.issues
    assert (issues.repeated, issues.contradicting, issues.unlabelled, issues.without_id) == (1, 3, 1, 1)
    assert (issues.unreadable, issues.not_human, issues.unknown) == (1, 2, {"tofu": 1})
    notes = " ".join(gold_issue_notes(issues))
    for part in (
        "gold.jsonl:4 id 'b': spam or ham",
        "'tofu' 1",
        "gold.jsonl:9 is not JSON",
        "without a human decision",
    ):
        assert part in notes


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id,colour\n1,red\n", "no field looks like the label; its fields are 'id', 'colour'"),
        ("id,label\n1,red\n", "its labels are not in the task ('red')"),
        ("id,label\n", "no rows"),
    ],
)
def test_an_unusable_file_is_refused_with_the_reason(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        gold(tmp_path, "gold.csv", content)
    assert message in refused.value.message


def test_the_fields_can_be_named(tmp_path: Path) -> None:
    labels = gold(tmp_path, "gold.csv", "nr,id,verdict\n7,a,spam\n", id_field="nr", label_field="verdict")
    assert found(labels, "7") == "spam"
    with pytest.raises(UsageError, match="no field named 'colour'"):
        gold(tmp_path, "gold.csv", "id,label\n1,spam\n", label_field="colour")


@given(st.lists(st.tuples(st.sampled_from([1, 2, "1", "a", ""]), st.sampled_from(["spam", "ham"])), max_size=12))
def test_every_row_is_a_label_or_an_issue(rows: list[tuple[int | str, str]]) -> None:
    collector = _Collector(TASK, TASK.label_space, {"category": "label"}, "id")
    for index, (row_id, label) in enumerate(rows):
        collector.add(Record(index, Place("gold", index), {"id": row_id, "label": label}, typed=True))
    issues = collector.issues()
    assert len(collector.labels) + issues.repeated + issues.contradicting + issues.without_id == len(rows)
