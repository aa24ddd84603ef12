"""Imports decisions from a file: each line is checked, and either all are imported or none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from llmbatch.core.errors import UsageError
from llmbatch.core.rows import Rejection
from llmbatch.core.sanitize import csv_meant
from llmbatch.readers import AUTO, ReaderOptions, Record, read_records, resolve_inputs
from llmbatch.readers.fields import listed
from llmbatch.readers.names import ID_NAMES
from llmbatch.review.annotation import Tool, annotations, questions
from llmbatch.review.columns import decision_columns
from llmbatch.review.item import item_of
from llmbatch.review.opened import OpenedRun
from llmbatch.runs.decisions import Decision, decided, last_said, mark_of
from llmbatch.task.label_space import LabelSpace, as_cell

_IMPORTED = "import"


@dataclass(frozen=True, slots=True)
class Refused:
    """A line that cannot be imported."""

    line: int
    why: str
    field: str | None = None
    """The field whose value is not one of the task's."""


@dataclass(frozen=True, slots=True)
class Imported:
    """The result of an import. If lines were refused, nothing was imported unless `skip_refused` was set."""

    taken: int
    unchanged: int
    """Lines whose decision was already made."""
    blank: int
    """Lines without a decision."""
    conflicts: int
    """How many imported decisions differ from what someone else decided since the export."""
    refused: tuple[Refused, ...]
    saved: bool
    allowed: Mapping[str, Sequence[str]]
    """The allowed values of each field in which a value was refused."""


@dataclass(frozen=True, slots=True)
class _Wish:
    line: int
    cells: Mapping[str, str]
    """The decided value of each field; fields left out keep the model's value."""
    note: str | None
    key: str | None
    id: str
    seen: str | None
    """The mark of the decisions that applied at the export, empty if there were none; None if the file does not say."""


def import_decisions(
    run: OpenedRun, path: Path, *, reviewer: str, decided_at: str, skip_refused: bool = False
) -> Imported:
    """Import the decisions of a file written by `export_to_decide`, or of any file with `id` and `decision`.

    Args:
        run: the run.
        path: JSONL, CSV or TSV.
        reviewer: whose decisions they are.
        decided_at: the present time.
        skip_refused: import the valid lines even if others are refused.

    Raises:
        UsageError: the file cannot be read or has no `decision`.
        StorageFailed: the decisions could not be saved.
    """
    wishes, refused, blank = _read(path, run.record.task.label_space)
    return _take_over(run, {reviewer: wishes}, refused, blank, decided_at=decided_at, skip_refused=skip_refused)


def import_annotations(
    run: OpenedRun, path: Path, tool: Tool, *, reviewer: str, decided_at: str, skip_refused: bool = False
) -> Imported:
    """Import annotations made in another tool, each under the annotator's name in that tool.

    Args:
        run: the run.
        path: the tool's JSON file.
        tool: the tool that wrote it.
        reviewer: the reviewer of annotations without a name in the file.
        decided_at: the present time.
        skip_refused: import the valid annotations even if others are refused.

    Raises:
        UsageError: the file cannot be read.
        StorageFailed: they could not be saved.
    """
    wishes: dict[str, list[_Wish]] = {}
    for one in annotations(path, tool, questions(run.record.task.label_space)):
        name, key = one.about.get("id"), _text(one.about, "key")
        wish = _Wish(
            line=one.number,
            cells=one.cells,
            note=None,
            key=key,
            id="" if name is None else str(name),
            seen=None if key is None or "seen" not in one.about else _text(one.about, "seen") or "",
        )
        wishes.setdefault(one.reviewer or reviewer, []).append(wish)
    return _take_over(run, wishes, [], 0, decided_at=decided_at, skip_refused=skip_refused)


def _take_over(
    run: OpenedRun,
    wishes: Mapping[str, Sequence[_Wish]],
    refused: list[Refused],
    blank: int,
    *,
    decided_at: str,
    skip_refused: bool,
) -> Imported:
    """Save each reviewer's decisions; none of them if a line is refused, unless refused lines are to be skipped."""
    space = run.record.task.label_space
    matched = {
        reviewer: _matched(run, given, refused, reviewer=reviewer, decided_at=decided_at)
        for reviewer, given in wishes.items()
    }
    refused.sort(key=lambda one: one.line)
    allowed = {name: values for name, values in _allowed(space).items() if name in {one.field for one in refused}}
    if refused and not skip_refused:
        return Imported(0, 0, blank, 0, tuple(refused), saved=False, allowed=allowed)
    written = [line for reviewer, of_one in matched.items() for line in _saved(run, of_one, reviewer)]
    unchanged = sum(map(len, matched.values())) - len(written)
    conflicts = sum(line.is_conflict for line in written)
    return Imported(len(written), unchanged, blank, conflicts, tuple(refused), saved=True, allowed=allowed)


_Matched = Mapping[str, tuple[_Wish, Decision]]
"""By text."""


def _matched(
    run: OpenedRun, wishes: Sequence[_Wish], refused: list[Refused], *, reviewer: str, decided_at: str
) -> _Matched:
    rows = _Rows(run, wishes, reviewer=reviewer, decided_at=decided_at)
    matched: dict[str, tuple[_Wish, Decision]] = {}
    for wish in wishes:
        row = rows.of(wish, run.record.task.label_space)
        if isinstance(row, Refused):
            refused.append(row)
        elif (other := matched.setdefault(row.text, (wish, row)))[1].category != row.category:
            why = f"line {other[0].line} gives the same text the label {other[1].category!r}"
            refused.append(Refused(wish.line, why))
    return matched


def _saved(run: OpenedRun, matched: _Matched, reviewer: str) -> Sequence[Decision]:
    """The lines that were written; none for decisions already made."""

    def compose() -> Sequence[Decision]:
        said = _said_before(run, frozenset(matched), reviewer)
        lines = (
            _line(wish, mine, now=run.decisions.by_digest(text), said_before=said.get(text))
            for text, (wish, mine) in matched.items()
        )
        return [line for line in lines if line is not None]

    return run.decisions.log.append(compose) if matched else ()


def _read(path: Path, space: LabelSpace) -> tuple[list[_Wish], list[Refused], int]:
    """(requested decisions, refused lines, number of lines without a decision)."""
    options = ReaderOptions(encoding=AUTO)  # Excel writes CSV in the system's encoding
    wishes: list[_Wish] = []
    refused: list[Refused] = []
    blank = 0
    columns = decision_columns(space)
    found: set[str] = set()
    for item in resolve_inputs((str(path),), options):
        for record in read_records(item, options):
            if isinstance(record, Rejection):
                refused.append(Refused(record.place.line, f"{record.message} [{record.kind}]"))
                continue
            found |= columns.keys() & record.fields.keys()
            cells = {field: as_cell(record.fields.get(column)) for column, field in columns.items()}
            decided_cells = {field: csv_meant(cell) for field, cell in cells.items() if cell}
            if decided_cells:
                wishes.append(_wish(record, decided_cells))
            else:
                blank += 1
    if not found:
        raise UsageError(
            f"{path}: no column named {listed(tuple(columns))}, so it contains no decisions",
            hint="llmbatch review export RUN writes a file to fill in",
        )
    return wishes, refused, blank


def _wish(record: Record, cells: Mapping[str, str]) -> _Wish:
    fields = record.fields
    named = next((fields[name] for name in fields if name.strip().casefold() in ID_NAMES), None)
    key = _text(fields, "key")
    return _Wish(
        line=record.place.line,
        cells=cells,
        note=_text(fields, "note"),
        key=key,
        id=csv_meant(str(named)) if named is not None else "",
        seen=None if key is None or "seen" not in fields else _text(fields, "seen") or "",
    )


def _text(fields: Mapping[str, Any], name: str) -> str | None:
    value = fields.get(name)
    return csv_meant(value) if isinstance(value, str) and value.strip() else None


class _Rows:
    """The run's texts that a file refers to, each as an undecided decision."""

    def __init__(self, run: OpenedRun, wishes: Sequence[_Wish], *, reviewer: str, decided_at: str) -> None:
        self._by_key: dict[str, Decision] = {}
        self._by_id: dict[str, dict[str, Decision]] = {}
        keys, ids = {wish.key for wish in wishes}, {wish.id for wish in wishes}
        review = run.record.review
        for outcome, fields in run.outcomes():
            name = str(outcome.row.id)
            item = item_of(outcome, _IMPORTED, fields, review)
            if not keys.isdisjoint((item.digest, item.key)) or name in ids:
                undecided = item.decision(None, reviewer=reviewer, decided_at=decided_at)
                self._by_key |= {item.digest: undecided, item.key: undecided}  # the key in older exports
                self._by_id.setdefault(name, {}).setdefault(item.digest, undecided)

    def of(self, wish: _Wish, space: LabelSpace) -> Decision | Refused:
        """The decision for a line's text, or why the line is refused."""
        undecided = self._undecided(wish)
        if isinstance(undecided, str):
            return Refused(wish.line, undecided)
        of_model = space.cells_of(undecided.model_category)
        cells = {field: wish.cells.get(field) or of_model[field] or "" for field in space.columns()}
        if (category := space.spelled_in(cells)) is not None:
            return replace(undecided, category=category)
        return _not_a_value(wish.line, space, cells)

    def _undecided(self, wish: _Wish) -> Decision | str:
        named = self._by_id.get(wish.id, {})
        if wish.key is not None:
            changed = f"the text of {wish.id!r} has changed since the export"
            unknown = f"no row has this key or the id {wish.id!r}"
            return self._by_key.get(wish.key) or (changed if named else unknown)
        if len(named) > 1:
            return f"{len(named)} texts have the id {wish.id!r}: the key from an export is needed"
        return next(
            iter(named.values()), f"no row has the id {wish.id!r}" if wish.id else "it has neither a key nor an id"
        )


def _not_a_value(line: int, space: LabelSpace, cells: Mapping[str, str]) -> Refused:
    field, cell = next((field, cell) for field, cell in cells.items() if not space.takes(field, cell))
    if not cell:
        return Refused(line, f"it has no value for {field!r}, and the model gave none", field)
    close = get_close_matches(cell, _allowed(space)[field], n=1)
    meant = f"; did you mean {close[0]!r}?" if close else ""
    valid = "a label of the task" if space.takes_one_label else f"a valid value of {field!r}"
    problem = f"{cell!r} is not {valid}"
    return Refused(line, problem + meant, field)


def _allowed(space: LabelSpace) -> Mapping[str, Sequence[str]]:
    """The allowed values of each field; none listed for a wide range of numbers."""
    return {field.name: tuple(parts) for field, parts in space.parts_by_field()}


def _said_before(run: OpenedRun, texts: frozenset[str], reviewer: str) -> dict[str, str | None]:
    """The reviewer's latest label for each of these texts, unless taken back."""
    lines: dict[str, list[Decision]] = {}
    for line in run.decisions.log.lines():
        if line.text in texts:
            lines.setdefault(line.text, []).append(line)
    return {text: last_said(about, reviewer) for text, about in lines.items()}


def _line(wish: _Wish, mine: Decision, *, now: Decision | None, said_before: str | None) -> Decision | None:
    """The log line for a requested decision, or None if it changes nothing.

    Args:
        wish: the decision in the file.
        mine: that decision as a log line.
        now: the decision that applies now.
        said_before: the reviewer's latest label for the text, however it was given.
    """
    if now is None:
        return replace(mine, note=wish.note)
    note = _joined(now.note, wish.note)
    is_known = wish.seen is not None and wish.seen == mark_of(now)
    stands = any((one.category, one.reviewer) == (mine.category, mine.reviewer) for one in now.standings) or (
        now.is_settled and now.category == mine.category
    )
    if stands and not (is_known and now.is_conflict):
        return None if note == now.note else replace(now, note=note)
    if said_before == mine.category and not is_known:
        return None  # already imported, and others have decided since
    return decided(replace(mine, note=note), seen=now if is_known else None, now=now)


def _joined(standing: str | None, more: str | None) -> str | None:
    """Both notes joined: an import never replaces a note."""
    if standing is None or more is None:
        return standing or more
    return standing if more in standing else f"{standing}; {more}"
