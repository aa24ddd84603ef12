"""A task with several fields, from the first run to review and evaluation."""

import csv
import io
from collections import Counter

import pytest

from llmbatch.runs.outputs.exploding import ExplodingWriter
from llmbatch.runs.outputs.writers import CsvWriter, JsonlWriter
from tests.analysis.test_fields import TASK
from tests.e2e.program import SAMPLE, Program, accounted, read_rows, views, write_rows
from tests.ledgers import ledger_rows

NAMES = ("topic", "names", "length", "good")


@pytest.fixture
def labelled(llmbatch: Program) -> Program:
    (llmbatch.folder / "news.toml").write_text(TASK)
    done = llmbatch("classify", SAMPLE, "--task", "news.toml", "--offline", "--out", "run", "--review-below", "0.5")
    assert done.code == 0, done.err
    return llmbatch


def test_each_field_has_its_column_and_nothing_is_sent_twice(labelled: Program) -> None:
    found = views(labelled.folder / "run")
    assert accounted(labelled.folder / "run") == list(range(60))
    for row in found["results"] + found["review"]:
        assert row["topic"] in ("World", "Sports", "Business", "Sci/Tech")
        assert set(row["names"]) <= {"person", "firm", "country"}
        assert isinstance(row["length"], int)
        assert isinstance(row["good"], bool)
        assert row["confidence"] == min(row["confidences"][name] for name in NAMES)
    assert any(not row["names"] for row in found["results"]), "that no label fits is an answer"
    again = labelled("classify", SAMPLE, "--task", "news.toml", "--offline", "--out", "run", "--json")
    assert (again.code, again.json["session"]["requests"]) == (0, 0)


def test_labels_of_a_field_are_counted_by_rows(labelled: Program) -> None:
    summary = labelled("show", "run", "--json").json
    assert sum(count for label, count in summary["labels"].items() if label.startswith("topic=")) == 60
    assert sum(count for label, count in summary["labels"].items() if label.startswith("good=")) == 60


def test_a_spreadsheet_has_a_column_per_field_and_several_labels_in_one_cell(labelled: Program) -> None:
    assert labelled("export", "run", "--format", "csv").code == 0
    with (labelled.folder / "run" / "results.csv").open(newline="") as file:
        cells = {row["id"]: row for row in csv.DictReader(file)}
    for row in views(labelled.folder / "run")["results"]:
        assert cells[row["id"]]["names"] == ("|".join(row["names"]) or "(none)")
        assert cells[row["id"]]["good"] == ("yes" if row["good"] else "no")
        assert cells[row["id"]]["length"] == str(row["length"])


def test_an_exploded_export_has_a_row_per_label(labelled: Program) -> None:
    own = views(labelled.folder / "run")
    assert labelled("export", "run", "--explode", "names", "--out", "out").code == 0
    for view in ("results", "review"):
        expected = [(row["id"], label) for row in own[view] for label in row["names"] or [None]]
        exploded = read_rows(labelled.folder / "out" / f"{view}.jsonl")
        assert [(row["id"], row["names"]) for row in exploded] == expected
    assert labelled("export", "run", "--explode", "names", "--out", "out", "--format", "csv").code == 0
    with (labelled.folder / "out" / "results.csv").open(newline="") as file:
        cells = [(row["id"], row["names"]) for row in csv.DictReader(file)]
    assert cells == [(row["id"], label) for row in own["results"] for label in row["names"] or ["(none)"]]
    assert views(labelled.folder / "run") == own


def test_cost_is_shown_by_the_values_of_a_field(labelled: Program) -> None:
    groups = {row["topic"]: row["rows"] for row in labelled("show", "run", "--by", "topic", "--json").json["groups"]}
    rows = [row for view in views(labelled.folder / "run").values() for row in view]
    assert groups == Counter(row["topic"] for row in rows)


def test_gold_labels_for_one_field_evaluate_that_field(labelled: Program) -> None:
    rows = [row for view in views(labelled.folder / "run").values() for row in view]
    wrong = {row["id"] for row in rows[::4]}
    gold = [{"id": row["id"], "topic": "World" if row["id"] in wrong else row["topic"]} for row in rows]
    write_rows(labelled.folder / "gold.jsonl", gold)
    evaluated = labelled("evaluate", "run", "--gold", "gold.jsonl", "--json").json
    right = sum(row["topic"] == one["topic"] for row, one in zip(rows, gold, strict=True))
    assert (evaluated["accuracy"]["count"], evaluated["accuracy"]["total"]) == (right, 60)
    assert {label["label"] for label in evaluated["labels"]} <= {"World", "Sports", "Business", "Sci/Tech"}
    assert evaluated["thresholds"]["recommended"] is None
    assert "gold for 'topic' only" in evaluated["thresholds"]["remark"]
    assert any("gold for 'topic' only" in note for note in evaluated["notes"])
    mean = sum(row["confidences"]["topic"] for row in rows) / 60
    assert evaluated["reliability"]["mean_confidence"] == pytest.approx(mean, abs=1e-6)
    refused = labelled("calibrate", "run", "--gold", "gold.jsonl")
    assert (refused.code, "no field named 'names', 'length', 'good'" in refused.err) == (2, True)


def test_explode_needs_a_field_with_several_labels_and_another_folder(labelled: Program) -> None:
    tables = ("--to", "sqlite:///x.db", "--table", "t")
    for options in ((), ("--out", "run"), tables):
        refused = labelled("export", "run", "--explode", "names", *options)
        assert (refused.code, "add --out FOLDER" in refused.err) == (2, True)
    refused = labelled("export", "run", "--explode", "topic", "--out", "out")
    assert (refused.code, "use one of names" in refused.err) == (2, True)


def test_each_of_several_labels_is_a_record_in_files_with_types_and_in_cells() -> None:
    typed, cells = io.BytesIO(), io.BytesIO()
    ExplodingWriter(JsonlWriter(typed), "names").write({"id": 1, "names": ["firm", "person"]})
    table = ExplodingWriter(CsvWriter(cells, ["id", "names"]), "names")
    table.write({"id": 1, "names": "firm|person"})
    table.close()
    assert typed.getvalue() == b'{"id":1,"names":"firm"}\n{"id":1,"names":"person"}\n'
    assert [line.split(b",")[:2] for line in cells.getvalue().splitlines()[1:]] == [[b"1", b"firm"], [b"1", b"person"]]


def test_human_decisions_serve_as_gold_labels(labelled: Program) -> None:
    assert labelled("review", "export", "run", "--out", "todo.csv").code == 0
    with (labelled.folder / "todo.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows
    for row in rows:
        row["decision_length"] = "2"
    write_rows(labelled.folder / "done.jsonl", rows)
    taken = labelled("review", "import", "run", "done.jsonl", "--reviewer", "ana")
    assert taken.code == 0, taken.err
    assert not read_rows(labelled.folder / "run" / "review.jsonl")
    decided = [row for row in read_rows(labelled.folder / "run" / "results.jsonl") if row.get("decided_by") == "human"]
    assert [row["length"] for row in decided] == [2] * len(rows)
    assert all("confidences" not in row for row in decided)
    assert labelled("review", "export", "run", "--decided", "--out", "gold.jsonl").code == 0
    evaluation = labelled("evaluate", "run", "--gold", "gold.jsonl", "--json").json
    assert [field["field"] for field in evaluation["fields"]] == list(NAMES)
    exact = {field["field"]: field["exact"]["value"] for field in evaluation["fields"]}
    assert exact["topic"] == exact["names"] == exact["good"] == 1


def test_each_label_is_measured_where_the_model_gives_log_probabilities(labelled: Program) -> None:
    done = labelled("classify", SAMPLE, "--task", "news.toml", "--offline", "--out", "new", "--confidence", "logprobs")
    assert done.code == 0, done.err
    lines = ledger_rows(labelled.folder / "new" / "ledger.jsonl")
    assert {line["confidence_from"] for line in lines} == {"logprobs"}
    assert all("flags" not in line for line in lines)
    for line in lines:
        given = line["category"].split("names=")[1].split(";")[0].split("|")
        sure = line["confidences"]
        assert {key.removeprefix("names=") for key in sure if "=" in key} == set(given) - {"(none)"}
        assert line["confidence"] == min(sure[name] for name in NAMES)
        assert all(sure["names"] <= odds for key, odds in sure.items() if key.startswith("names="))
    rows = read_rows(labelled.folder / "new" / "results.jsonl") + read_rows(labelled.folder / "new" / "review.jsonl")
    assert any(isinstance(row["names"], list) and row["names"] for row in rows)


def test_a_field_with_too_many_labels_to_decide_one_by_one_is_refused(labelled: Program) -> None:
    labels = ", ".join(f'{{ name = "l{n}" }}' for n in range(201))
    (labelled.folder / "many.toml").write_text(
        f'name = "m"\n[[fields]]\nname = "f"\nkind = "multi"\nlabels = [{labels}]\n'
    )
    done = labelled("classify", SAMPLE, "--task", "many.toml", "--offline", "--out", "many", "--confidence", "logprobs")
    assert done.code == 2
    assert "201 labels" in done.err
    assert not (labelled.folder / "many").exists()
