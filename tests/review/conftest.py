"""A run folder to review, as a session leaves it: built from real parts, without sending anything."""

from pathlib import Path
from typing import Any

import pytest

from llmbatch.core.ledger_line import FAILED, OK, LedgerLine, RowError
from llmbatch.engine.plan import ModelChoice, make_plan
from llmbatch.readers import ReaderOptions
from llmbatch.review.importing import Imported, import_decisions
from llmbatch.review.opened import opened
from llmbatch.runs.folder import RunFolder, RunRecord, load_record, now_text
from llmbatch.runs.ledger.log import Ledger
from llmbatch.runs.outputs import Sample
from llmbatch.task.load import LoadedTask, load_task
from llmbatch.task.model import Task
from tests.e2e.program import write_rows

NOON = "2026-11-25T12:00:00Z"
ROWS: list[tuple[dict[str, Any], str | None, float | None]] = [
    ({"id": "a", "text": "The server crashed with a stack trace.", "team": "x"}, "technical", 0.9),
    ({"id": "b", "text": "The liability clause is void."}, "legal", 0.85),
    ({"id": "c", "text": "Refused by the model."}, None, None),
    ({"id": "d", "text": "Hm."}, "technical", 0.2),
    ({"id": "e", "text": "Hm."}, "technical", 0.2),
    ({"id": "f", "text": "=1+1 happened in town."}, "business", 0.5),
    ({"id": "7", "text": "مرحبا بالعالم"}, "technical", 0.3),
    ({"id": 7, "text": "日本語の文書です。"}, "technical", 0.4),
]
"""Rows a and b are labelled, c failed, the others are in review; d and e share their text."""


FIELDS = """
name = "tickets"
[[fields]]
name = "topic"
kind = "single"
labels = [{ name = "billing", description = "Invoices, refunds." }, { name = "technical", description = "Errors." }]
[[fields]]
name = "tags"
kind = "multi"
labels = [{ name = "angry", description = "Threatens to leave." }, { name = "legal" }]
[[fields]]
name = "severity"
kind = "number"
minimum = 1
maximum = 3
[[fields]]
name = "urgent"
kind = "yes-no"
"""
ROWS_OF_FIELDS: list[tuple[dict[str, Any], str | None, float | None]] = [
    ({"id": "a", "text": "Paid twice!", "team": "x"}, "topic=billing; tags=angry; severity=3; urgent=yes", 0.3),
    ({"id": "b", "text": "It crashes."}, "topic=technical; tags=(none); severity=2; urgent=no", 0.4),
    ({"id": "c", "text": "Refused by the model."}, None, None),
]


TREE = 'name = "tree"\n' + "".join(
    f'[[labels]]\nname = "g{group}"\nallow_inner = {"true" if group == 2 else "false"}\n'
    + "".join(f'[[labels]]\nname = "g{group}/l{leaf}"\n' for leaf in range(1, 13))
    for group in range(1, 4)
)
"""Three groups of twelve labels: more than there are keys."""


@pytest.fixture
def run_of_tree(tmp_path: Path) -> Path:
    (tmp_path / "tree.toml").write_text(TREE)
    rows: list[tuple[dict[str, Any], str | None, float | None]] = [
        ({"id": name, "text": f"Text {name}."}, "g1/l2", 0.3) for name in "abc"
    ]
    return make_run(tmp_path, load_task(str(tmp_path / "tree.toml")), rows)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path, load_task(None), ROWS)


@pytest.fixture
def run_of_fields(tmp_path: Path) -> Path:
    (tmp_path / "fields.toml").write_text(FIELDS)
    return make_run(tmp_path, load_task(str(tmp_path / "fields.toml")), ROWS_OF_FIELDS)


def make_run(at: Path, task: LoadedTask, rows: list[tuple[dict[str, Any], str | None, float | None]]) -> Path:
    source = write_rows(at / "docs.jsonl", [row for row, _, _ in rows])
    plan = make_plan(task, ModelChoice(), offline=True)
    folder = RunFolder(at / "docs.llmbatch")
    folder.path.mkdir()
    record = RunRecord(
        created_at=now_text(),
        updated_at=now_text(),
        state="finished",
        inputs=(str(source),),
        reader=ReaderOptions(),
        task=plan.task,
        task_source=plan.task_source,
        choice=plan.choice,
        offline=True,
        endpoint="offline",
        fingerprint=plan.fingerprint,
        prompt=plan.prompt,
        model=plan.question.model,
        prefix_tokens=plan.prefix_tokens,
        review_below=0.6,
        sample=Sample(count=4),
    )
    record.save(folder)
    ledger, _ = Ledger.open(folder.ledger, on_line=lambda _, __: None)
    for number, (row, category, confidence) in enumerate(rows):
        parts = () if category is None or task.task.label_space.takes_one_label else category.split("; ")
        ledger.append(
            LedgerLine(
                row=number,
                id=row["id"],
                key=plan.key(row["text"]),
                status=FAILED if category is None else OK,
                prompt=plan.prompt,
                model=record.model,
                started_at=now_text(),
                category=category,
                confidence=confidence,
                confidences={part: 0.3 + place / 10 for place, part in enumerate(parts)} or None,
                error=RowError("refusal", None, "the model refused") if category is None else None,
            )
        )
    ledger.close()
    return folder.path


def take(run: Path, rows: list[Any], reviewer: str = "ana", *, skip: bool = False) -> Imported:
    path = write_rows(run.parent / "filled.jsonl", rows)
    with opened(run) as review:
        return import_decisions(review, path, reviewer=reviewer, decided_at=NOON, skip_refused=skip)


def decide(run: Path, reviewer: str = "ana", **labels: str) -> Imported:
    return take(run, [{"id": name, "decision": label} for name, label in labels.items()], reviewer)


def rename_label(run: Path, label: str, name: str) -> None:
    """Change the run's task, as a session with an edited task file does."""
    folder = RunFolder(run)
    record = load_record(folder)
    text = record.task.model_dump_json().replace(f'"name":"{label}"', f'"name":"{name}"')
    task = Task.model_validate_json(text.replace(f'"label":"{label}"', f'"label":"{name}"'))
    plan = make_plan(LoadedTask(task, record.task_source, ""), record.choice, offline=True)
    record.updated(task=task, fingerprint=plan.fingerprint, prompt=plan.prompt).save(folder)
