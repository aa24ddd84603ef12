"""Exports rows to decide in a spreadsheet, and decided rows as gold labels."""

import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from llmbatch.core.errors import UsageError
from llmbatch.core.filenames import quoted
from llmbatch.core.files import create_file, replacing
from llmbatch.review.columns import decision_columns
from llmbatch.review.opened import OpenedRun, opened
from llmbatch.review.queue import Choice, Queue, make_queue
from llmbatch.runs.decisions import Decision, mark_of
from llmbatch.runs.outputs.records import HUMAN, Values
from llmbatch.runs.outputs.writers import CsvWriter, JsonlWriter, RecordWriter
from llmbatch.runs.trust import NO_TRUST, Trust

_PLACE = ("row", "id", "text")
_MODEL = ("note", "model_category", "model_confidence", "runner_up", "reason", "reviewer", "decided_at", "conflict")
_BEHIND_FIELDS = ("key", "seen")
_GOLD = ("row", "decided_by", "reviewer", "decided_at", "note", "model_category", "model_confidence")


@contextmanager
def target(path: Path | None) -> Iterator[BinaryIO]:
    """Open the file to write, which appears complete or not at all; None for standard output.

    Raises:
        UsageError: the file cannot be written.
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
    """Write rows with an empty `decision` column to fill in (one per field if there are several), and return how many.

    Args:
        run: the run.
        choice: which rows.
        file: the output.
        csv: write CSV without anything that a spreadsheet would execute; else JSON lines.
        bom: begin the CSV with a byte order mark.

    The input's other fields follow the text, named as in the results, or `input_NAME` if that name is taken.
    """
    queue = make_queue(run, choice, only=lambda outcome: outcome.human is None)
    before = (*_PLACE, *decision_columns(run.record.task.label_space), *_MODEL)
    names = _input_columns(queue, (*before, *_BEHIND_FIELDS))
    columns = (*before, *names.values(), *_BEHIND_FIELDS)
    records = _to_decide(run, queue, names)
    return _write_csv(file, columns, records, bom=bom) if csv else _write(JsonlWriter(file), records)


def export_gold(run: OpenedRun, file: BinaryIO, *, csv: bool, bom: bool = False) -> int:
    """Write people's decisions as gold labels (`id` and `label`, or one column per field), and return how many rows.

    A decision applies to its text whatever the prompt, as long as the task still has its label.
    """
    if not csv:
        return _write(JsonlWriter(file), _gold(run, run.record.task.label_space.columns_of))
    space = run.record.task.label_space
    columns = ("id", *(("label",) if space.is_plain else space.columns()), *_GOLD)
    return _write_csv(file, columns, _gold(run, space.cells_of), bom=bom)


@contextmanager
def decisions_as_gold(path: Path, trust: Trust = NO_TRUST) -> Iterator[str]:
    """A temporary file with a run folder's decisions as gold labels; it is deleted at the end.

    Raises:
        UsageError: no rows are decided yet, or there is no such folder.
    """
    with tempfile.TemporaryDirectory(prefix="llmbatch-") as folder:
        gold = Path(folder) / "gold.jsonl"
        with opened(path, trust) as run, create_file(gold) as file:
            count = export_gold(run, file, csv=False)
        if not count:
            raise UsageError(
                f"no gold labels: no rows of {path} have been decided yet",
                hint=f"name a file with --gold, or decide a random sample: llmbatch review {quoted(path)} --sample",
            )
        yield str(gold)


def _write_csv(file: BinaryIO, columns: tuple[str, ...], records: Iterator[dict[str, Any]], *, bom: bool) -> int:
    writer = CsvWriter(file, columns, bom=bom)
    count = _write(writer, records)
    writer.close()
    return count


def _write(writer: RecordWriter, records: Iterator[dict[str, Any]]) -> int:
    count = 0
    for record in records:
        writer.write(record)
        count += 1
    return count


def _input_columns(queue: Queue, own: Collection[str]) -> dict[str, str]:
    """The input's fields, each under a unique column name."""
    fields = dict.fromkeys(name for place in range(len(queue)) for name in queue[place].fields)
    taken = {*own, *fields}
    names = {name: name for name in fields if name not in own}
    for name in sorted(fields.keys() & own):
        column = f"input_{name}"
        while column in taken:
            column = f"input_{column}"
        taken.add(column)
        names[name] = column
    return {name: names[name] for name in fields}


def _to_decide(run: OpenedRun, queue: Queue, names: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    empty = dict.fromkeys(decision_columns(run.record.task.label_space))
    for place in range(len(queue)):
        item = queue[place]
        said = run.decisions.by_digest(item.digest)
        yield {
            "row": item.row,
            "id": item.id,
            "text": item.text,
            **empty,
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
    """All decisions that apply, as `ana: legal; ben: other`."""
    return "; ".join(f"{standing.reviewer}: {standing.category}" for standing in decision.standings)


def _gold(run: OpenedRun, values: Values) -> Iterator[dict[str, Any]]:
    is_plain = run.record.task.label_space.is_plain
    for outcome, _ in run.outcomes():
        if (decision := outcome.human) is not None:
            yield {
                "id": outcome.row.id,
                **({"label": decision.category} if is_plain else values(decision.category)),
                "row": outcome.row.index,
                "decided_by": HUMAN,
                "reviewer": decision.reviewer,
                "decided_at": decision.decided_at,
                "note": decision.note,
                "model_category": decision.model_category,
                "model_confidence": decision.model_confidence,
            }
