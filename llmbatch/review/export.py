"""Rows for a spreadsheet, to be decided there; and decided rows as gold labels."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from llmbatch.core.errors import UsageError
from llmbatch.core.files import replacing
from llmbatch.review.opened import OpenedRun
from llmbatch.review.queue import Choice, Queue, make_queue
from llmbatch.runs.decisions import Decision, mark_of
from llmbatch.runs.outputs.records import HUMAN
from llmbatch.runs.outputs.writers import CsvWriter, JsonlWriter, RecordWriter

BEFORE_FIELDS = (
    "row",
    "id",
    "text",
    "decision",
    "note",
    "model_category",
    "model_confidence",
    "runner_up",
    "reason",
    "reviewer",
    "decided_at",
    "conflict",
)
BEHIND_FIELDS = ("key", "seen")
"""Columns around the input's own fields."""
GOLD = ("id", "label", "row", "decided_by", "reviewer", "decided_at", "note", "model_category", "model_confidence")


@contextmanager
def target(path: Path | None) -> Iterator[BinaryIO]:
    """The file to write, which is there whole or not at all; None for standard output.

    Raises:
        UsageError: it cannot be written.
    """
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        with replacing(path) as file:
            yield file
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror})") from None


def export_to_decide(run: OpenedRun, choice: Choice, file: BinaryIO, *, csv: bool, bom: bool = False) -> int:
    """Write rows with an empty `decision` to fill in, and return how many.

    Args:
        run: the run.
        choice: which rows.
        file: where to.
        csv: as CSV that no spreadsheet runs, else as JSON lines.
        bom: begin the CSV with a byte order mark.

    The input's other fields stand behind the text, by their names in the results, `input_NAME` where one is taken.
    """
    queue = make_queue(run, choice, only=lambda outcome: outcome.human is None)
    names = _input_columns(queue)
    columns = (*BEFORE_FIELDS, *names.values(), *BEHIND_FIELDS)
    records = _to_decide(run, queue, names)
    return _write_csv(file, columns, records, bom=bom) if csv else _write(JsonlWriter(file), records)


def export_gold(run: OpenedRun, file: BinaryIO, *, csv: bool, bom: bool = False) -> int:
    """Write what people decided as gold labels (`id` and `label`), and return how many rows.

    A decision holds for its text, whatever the prompt, as long as the task has its label.
    """
    return _write_csv(file, GOLD, _gold(run), bom=bom) if csv else _write(JsonlWriter(file), _gold(run))


def _write_csv(file: BinaryIO, columns: tuple[str, ...], records: Iterator[dict[str, Any]], *, bom: bool) -> int:
    writer = CsvWriter(file, columns, bom=bom)
    count = _write(writer, records)
    writer.detach()
    return count


def _write(writer: RecordWriter, records: Iterator[dict[str, Any]]) -> int:
    count = 0
    for record in records:
        writer.write(record)
        count += 1
    return count


def _input_columns(queue: Queue) -> dict[str, str]:
    """The input's fields, each with a name that no other column has."""
    fields = dict.fromkeys(name for place in range(len(queue)) for name in queue[place].fields)
    own = {*BEFORE_FIELDS, *BEHIND_FIELDS}
    taken = own | fields.keys()
    names = {name: name for name in fields if name not in own}
    for name in sorted(own & fields.keys()):
        column = f"input_{name}"
        while column in taken:
            column = f"input_{column}"
        taken.add(column)
        names[name] = column
    return {name: names[name] for name in fields}


def _to_decide(run: OpenedRun, queue: Queue, names: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for place in range(len(queue)):
        item = queue[place]
        said = run.decisions.by_digest(item.digest)
        yield {
            "row": item.row,
            "id": item.id,
            "text": item.text,
            "decision": None,
            "note": None if said is None else said.note,
            "model_category": item.category,
            "model_confidence": item.confidence,
            "runner_up": item.runner_up,
            "reason": item.reason if item.error is None else f"{item.reason}: {item.error}",
            "reviewer": None if said is None else said.reviewer,
            "decided_at": None if said is None else said.decided_at,
            "conflict": _differing(said) if said is not None and said.is_conflict else None,
            **{names[name]: value for name, value in item.fields.items()},
            "key": item.digest,
            "seen": mark_of(said),
        }


def _differing(decision: Decision) -> str:
    """`ana: legal; ben: other`, of all decisions that stand."""
    return "; ".join(f"{standing.reviewer}: {standing.category}" for standing in decision.standings)


def _gold(run: OpenedRun) -> Iterator[dict[str, Any]]:
    for outcome, _ in run.outcomes():
        if (decision := outcome.human) is not None:
            yield {
                "id": outcome.row.id,
                "label": decision.category,
                "row": outcome.row.index,
                "decided_by": HUMAN,
                "reviewer": decision.reviewer,
                "decided_at": decision.decided_at,
                "note": decision.note,
                "model_category": decision.model_category,
                "model_confidence": decision.model_confidence,
            }
