"""Rows exported to Label Studio or Argilla, and their labels imported."""

import json
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import fromstring

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.review.annotation import Tool, export_to_tool
from llmbatch.review.importing import Imported, import_annotations
from llmbatch.review.opened import opened
from llmbatch.review.queue import Choice
from llmbatch.task.load import load_task
from tests.e2e.program import read_rows
from tests.review.conftest import NOON, make_run

WITHOUT_NUMBERS = """
name = "tickets"
[[fields]]
name = "topic"
kind = "single"
labels = [{ name = "billing", description = "Invoices & <refunds>." }, { name = "technical" }]
[[fields]]
name = "tags"
kind = "multi"
labels = [{ name = "angry" }, { name = "legal" }]
[[fields]]
name = "urgent"
kind = "yes-no"
"""


@pytest.fixture
def tickets(tmp_path: Path) -> Path:
    (tmp_path / "tickets.toml").write_text(WITHOUT_NUMBERS)
    rows: list[tuple[dict[str, Any], str | None, float | None]] = [
        ({"id": "a", "text": "Paid twice!"}, "topic=billing; tags=angry|legal; urgent=yes", 0.3),
        ({"id": "b", "text": "It crashes."}, "topic=technical; tags=(none); urgent=no", 0.4),
        ({"id": "c", "text": "Refused by the model."}, None, None),
    ]
    return make_run(tmp_path, load_task(str(tmp_path / "tickets.toml")), rows)


def exported(run: Path, tool: Tool) -> list[dict[str, Any]]:
    out = run.parent / "rows.json"
    with opened(run) as review:
        count, _ = export_to_tool(review, Choice(), tool, out)
    rows: list[dict[str, Any]] = json.loads(out.read_bytes())
    assert len(rows) == count
    return rows


def imported(run: Path, tool: Tool, rows: object, *, skip: bool = False) -> Imported:
    path = run.parent / "back.json"
    path.write_text(json.dumps(rows))
    with opened(run) as review:
        return import_annotations(review, path, tool, reviewer="me", decided_at=NOON, skip_refused=skip)


def annotated(task: dict[str, Any], annotator: object, **choices: list[str]) -> dict[str, Any]:
    """A task as Label Studio exports it."""
    result = [
        {"id": field, "from_name": field, "to_name": "text", "type": "choices", "value": {"choices": chosen}}
        for field, chosen in choices.items()
    ]
    annotation = {"id": 1, "completed_by": annotator, "result": result, "was_cancelled": False, "lead_time": 1.5}
    return {**task, "id": 9, "annotations": [*task.get("annotations", []), annotation]}


def decisions_of(run: Path) -> list[tuple[str, str, str]]:
    return [(line["id"], line["category"], line["reviewer"]) for line in read_rows(run / "decisions.jsonl")]


def test_label_studio_gets_the_models_answers_and_returns_human_ones(tickets: Path) -> None:
    first, second, third = exported(tickets, Tool.label_studio)
    assert first["data"].keys() == {"text", "id", "row", "key", "seen"}
    assert [one["value"]["choices"] for one in first["predictions"][0]["result"]] == [
        ["billing"],
        ["angry", "legal"],
        ["yes"],
    ]
    assert third["predictions"] == []
    back = [
        annotated(first, {"id": 1, "email": "ana@example.org"}, topic=["technical"], tags=["legal"], urgent=["yes"]),
        annotated(second, 7, topic=["technical"], urgent=["no"]),
        {**third, "annotations": [{"was_cancelled": True, "result": []}]},
    ]
    assert imported(tickets, Tool.label_studio, back).taken == 2
    assert decisions_of(tickets) == [
        ("a", "topic=technical; tags=legal; urgent=yes", "ana@example.org"),
        ("b", "topic=technical; tags=(none); urgent=no", "7"),
    ]
    assert imported(tickets, Tool.label_studio, back).taken == 0, "a second import changes nothing"
    config = fromstring((tickets.parent / "rows.xml").read_text())
    assert [choices.get("choice") for choices in config.iter("Choices")] == ["single", "multiple", "single"]
    assert next(choice.get("hint") for choice in config.iter("Choice")) == "Invoices & <refunds>."


def test_argilla_gets_suggestions_and_returns_responses(tickets: Path) -> None:
    first, second, third = exported(tickets, Tool.argilla)
    assert first["suggestions"]["tags"]["value"] == ["angry", "legal"]
    assert third["suggestions"] == {}
    responses = {
        "topic": [{"value": "technical", "user_id": "u1"}, {"value": "billing", "user_id": "u2", "status": "draft"}],
        "tags": [{"value": ["angry"], "user_id": "u1", "status": "submitted"}],
        "urgent": [{"value": "no", "user_id": "u1"}],
    }
    back = [{**first, "responses": responses}, second, third]
    assert imported(tickets, Tool.argilla, back).taken == 1
    assert decisions_of(tickets) == [("a", "topic=technical; tags=angry; urgent=no", "u1")]


def test_two_annotators_who_disagree_are_a_conflict(run: Path) -> None:
    task = exported(run, Tool.label_studio)[0]
    back = annotated(annotated(task, "ana", category=["legal"]), "ben", category=["other"])
    done = imported(run, Tool.label_studio, [back])
    assert (done.taken, done.conflicts) == (2, 1)


def test_one_unknown_label_prevents_the_import(run: Path) -> None:
    tasks = exported(run, Tool.label_studio)
    back = [annotated(tasks[0], "ana", category=["spam"]), annotated(tasks[1], "ana", category=["legal"])]
    done = imported(run, Tool.label_studio, back)
    assert (done.saved, [one.line for one in done.refused]) == (False, [1])
    assert done.allowed["category"][0] == "technical"
    assert imported(run, Tool.label_studio, back, skip=True).taken == 1


def test_a_number_field_without_bounds_is_refused(run_of_fields: Path) -> None:
    record = (run_of_fields / "run.json").read_text()
    assert '"maximum":3' in record
    (run_of_fields.parent / "wide.toml").write_text(
        'name = "w"\n[[fields]]\nname = "price"\nkind = "number"\nminimum = 0\nmaximum = 9000\n'
    )
    folder = run_of_fields.parent / "wide"
    folder.mkdir()
    wide = make_run(folder, load_task(str(run_of_fields.parent / "wide.toml")), [])
    with pytest.raises(UsageError, match="wide range of numbers"):
        exported(wide, Tool.argilla)


@pytest.mark.parametrize("tool", Tool)
@pytest.mark.parametrize(
    "rows", [{}, [1], [{}], [{"data": 5, "annotations": [{}], "responses": {"category": [5]}}], "x"]
)
def test_another_kind_of_file_is_refused(run: Path, tool: Tool, rows: object) -> None:
    if tool is Tool.argilla and rows == [{}]:
        return  # an Argilla record without responses is valid
    with pytest.raises(UsageError, match=tool.value):
        imported(run, tool, rows)
