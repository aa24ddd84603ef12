"""Exchange with annotation tools: Label Studio's tasks and Argilla's records, each a JSON array.

A second file describes the task to the tool: Label Studio's labelling configuration (`.xml`) or Argilla's settings
(`.settings.json`). A field becomes a choice of its labels; fields with a wide range of numbers cannot be exported.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import orjson

from llmbatch.core.errors import UsageError
from llmbatch.core.files import replacing
from llmbatch.review.item import ReviewItem
from llmbatch.review.opened import OpenedRun
from llmbatch.review.queue import Choice, make_queue
from llmbatch.runs.decisions import mark_of
from llmbatch.task.fields import NONE, FieldKind
from llmbatch.task.label_space import LabelSpace

BETWEEN = "|"
"""Separator between the labels of a multi-label field."""


class Tool(StrEnum):
    """A supported annotation tool."""

    label_studio = "label-studio"
    argilla = "argilla"


@dataclass(frozen=True, slots=True)
class Question:
    """A task field as a question in an annotation tool."""

    field: str
    meanings: Mapping[str, str]
    """The labels with their descriptions."""
    takes_many: bool


def questions(space: LabelSpace) -> Sequence[Question]:
    """Convert a task's fields to questions.

    Raises:
        UsageError: a field has a wide range of numbers, which cannot be offered as a choice.
    """
    found = []
    for field, parts in space.parts_by_field():
        described = {label.name: label.description for label in field.labels}
        meanings = {name: described.get(name, "") for name in parts if name != NONE}
        if not meanings:
            raise UsageError(
                f"field {field.name!r} takes a wide range of numbers, which annotation tools cannot offer",
                hint="review this run in the application or in a spreadsheet",
            )
        found.append(Question(field.name, meanings, field.kind is FieldKind.multi))
    return found


def export_to_tool(run: OpenedRun, choice: Choice, tool: Tool, out: Path) -> tuple[int, Path]:
    """Write undecided rows for an annotation tool, and the tool's configuration next to them.

    Returns:
        The number of rows, and the configuration file.

    Raises:
        UsageError: the tool cannot ask for a field, or a file cannot be written.
    """
    asked = questions(run.record.task.label_space)
    beside = out.with_name(out.stem + (".xml" if tool is Tool.label_studio else ".settings.json"))
    count = 0
    try:
        with closing(make_queue(run, choice, only=lambda outcome: outcome.human is None)) as queue:
            with replacing(out) as file:
                for count, place in enumerate(range(len(queue)), 1):
                    row = _task(run, queue[place]) if tool is Tool.label_studio else _record(run, queue[place])
                    file.write((b"[\n" if count == 1 else b",\n") + orjson.dumps(row, default=str))
                file.write(b"\n]\n" if count else b"[]\n")
            with replacing(beside) as file:
                file.write(_label_studio_config(asked) if tool is Tool.label_studio else _argilla_settings(asked))
    except OSError as error:
        raise UsageError(f"{out}: cannot be written ({error.strerror})") from None
    return count, beside


def _about(run: OpenedRun, item: ReviewItem) -> dict[str, Any]:
    """The metadata by which an annotation is matched to its row on import."""
    seen = mark_of(run.decisions.by_digest(item.digest))
    return {"id": str(item.id), "row": item.row, "key": item.digest, "seen": seen}


def _cells(run: OpenedRun, item: ReviewItem) -> Mapping[str, str]:
    """The model's value for each field it gave one for."""
    cells = run.record.task.label_space.cells_of(item.category)
    return {field: cell for field, cell in cells.items() if cell is not None}


def _labels(cell: str) -> Sequence[str]:
    return [] if cell == NONE else cell.split(BETWEEN)


def _task(run: OpenedRun, item: ReviewItem) -> dict[str, Any]:
    asked = {question.field: question for question in questions(run.record.task.label_space)}
    result = [
        {
            "from_name": field,
            "to_name": "text",
            "type": "choices",
            "value": {"choices": _labels(cell) if asked[field].takes_many else [cell]},
        }
        for field, cell in _cells(run, item).items()
        if cell != NONE
    ]
    prediction = {"model_version": run.record.model, "score": item.confidence, "result": result}
    return {"data": {"text": item.text, **_about(run, item)}, "predictions": [prediction] if result else []}


def _record(run: OpenedRun, item: ReviewItem) -> dict[str, Any]:
    asked = {question.field: question for question in questions(run.record.task.label_space)}
    suggestions = {
        field: {
            "value": _labels(cell) if asked[field].takes_many else cell,
            "score": None if asked[field].takes_many else item.confidence,  # Argilla would need a list of scores
            "agent": run.record.model,
        }
        for field, cell in _cells(run, item).items()
        if cell != NONE
    }
    about = _about(run, item)
    return {
        "id": about["key"],  # row ids need not be unique
        "fields": {"text": item.text},
        "metadata": about,
        "suggestions": suggestions,
        "responses": {},
        "vectors": {},
    }


def _label_studio_config(asked: Sequence[Question]) -> bytes:
    view = Element("View")
    SubElement(view, "Text", name="text", value="$text")
    for question in asked:
        SubElement(view, "Header", value=question.field)
        kind = "multiple" if question.takes_many else "single"
        choices = SubElement(view, "Choices", name=question.field, toName="text", choice=kind)
        if not question.takes_many:
            choices.set("required", "true")
        for label, meaning in question.meanings.items():
            choice = SubElement(choices, "Choice", value=label)
            if meaning:
                choice.set("hint", meaning)
    indent(view)
    config: bytes = tostring(view, encoding="utf-8")
    return config + b"\n"


def _argilla_settings(asked: Sequence[Question]) -> bytes:
    settings = {
        "guidelines": None,
        "fields": [{"name": "text", "title": "text", "required": True, "settings": {"type": "text"}}],
        "questions": [
            {
                "name": question.field,
                "title": question.field,
                "description": None,
                "required": not question.takes_many,
                "settings": {
                    "type": "multi_label_selection" if question.takes_many else "label_selection",
                    "options": [
                        {"value": label, "text": label, "description": meaning or None}
                        for label, meaning in question.meanings.items()
                    ],
                },
            }
            for question in asked
        ],
        "vectors": [],
        "metadata": [],
        "allow_extra_metadata": True,
        "distribution": {"strategy": "overlap", "min_submitted": 1},
        "mapping": None,
    }
    return orjson.dumps(settings, option=orjson.OPT_INDENT_2) + b"\n"


@dataclass(frozen=True, slots=True)
class Annotated:
    """One person's labels for one text."""

    number: int
    """Position of the task or record in its file, from 1."""
    reviewer: str | None
    cells: Mapping[str, str]
    about: Mapping[str, Any]


def annotations(path: Path, tool: Tool, asked: Sequence[Question]) -> Iterator[Annotated]:
    """Read the annotations from a tool's file; tasks and records without an annotation are skipped.

    Raises:
        UsageError: the file cannot be read or has the wrong format.
    """
    try:
        rows = json.loads(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError:
        rows = None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UsageError(f"{path}: not a JSON array from {tool.value}", hint=_HINTS[tool])
    for number, row in enumerate(rows, 1):
        try:
            yield from _of_task(number, row, asked) if tool is Tool.label_studio else _of_record(number, row, asked)
        except (AttributeError, KeyError, TypeError):
            raise UsageError(f"{path}: entry {number} is not in {tool.value}'s format", hint=_HINTS[tool]) from None


def _of_task(number: int, task: Mapping[str, Any], asked: Sequence[Question]) -> Iterator[Annotated]:
    about = dict(task["data"])
    for annotation in task.get("annotations", []):
        if annotation.get("was_cancelled"):
            continue
        given = {one["from_name"]: one["value"]["choices"] for one in annotation["result"] if one["type"] == "choices"}
        who = annotation.get("completed_by")
        name = who.get("email") or who.get("id") if isinstance(who, dict) else who
        yield Annotated(number, None if name is None else str(name), _texts(given, asked), about)


def _of_record(number: int, record: Mapping[str, Any], asked: Sequence[Question]) -> Iterator[Annotated]:
    by_user: dict[str | None, dict[str, list[str]]] = {}
    for field, responses in (record.get("responses") or {}).items():
        for response in responses:
            if response.get("status") not in {"draft", "discarded"}:
                value, user = response["value"], response.get("user_id")
                given = by_user.setdefault(None if user is None else str(user), {})
                given[field] = value if isinstance(value, list) else [value]
    for user, given in by_user.items():
        yield Annotated(number, user, _texts(given, asked), dict(record["metadata"]))


def _texts(given: Mapping[str, Sequence[str]], asked: Sequence[Question]) -> Mapping[str, str]:
    """Each field's value as a spreadsheet would hold it. For a multi-label field, no choice means no label."""
    cells = {}
    for question in asked:
        chosen = given.get(question.field)
        if chosen:
            cells[question.field] = BETWEEN.join(chosen)
        elif question.takes_many:
            cells[question.field] = NONE
    return cells


_HINTS = {
    Tool.label_studio: "export the project as JSON (not JSON-MIN)",
    Tool.argilla: "write it with dataset.records(with_responses=True).to_json(PATH)",
}
