"""Gold labels: read from a file of any supported format, checked against the task, matched by row id or position."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice

from llmbatch.core.errors import UsageError
from llmbatch.core.rows import Rejection, RowId
from llmbatch.readers import AUTO, Input, ReaderOptions, Record, looked_at, read_records
from llmbatch.readers.fields import listed
from llmbatch.readers.names import ID_NAMES
from llmbatch.task.fields import NONE, FieldKind
from llmbatch.task.label_space import LabelSpace, as_cell
from llmbatch.task.model import Task

LABEL_NAMES = (
    "gold",
    "gold_label",
    "human_label",
    "category",
    "label",
    "labels",
    "class",
    "intent",
    "topic",
    "target",
    "expected",
)
"""Field names recognised as the label, best first."""

DECIDED_BY, HUMAN = "decided_by", "human"
"""If a record says who decided, it is gold only if a person did: a run's own answers prove nothing about it."""

_LOOKED_AT = 100
_TOLD = 5


@dataclass(frozen=True, slots=True)
class GoldOptions:
    """Where the gold labels are, and which fields to use; None to detect them."""

    file: str
    id_field: str | None = None
    label_field: str | None = None


@dataclass(frozen=True, slots=True)
class GoldIssues:
    """Issues found while reading; every row left out is counted in exactly one of them."""

    unreadable: int = 0
    unlabelled: int = 0
    """Rows without a label, not decided yet."""
    not_human: int = 0
    """Rows decided by a model, according to the record itself."""
    without_id: int = 0
    unknown: Mapping[str, int] = field(default_factory=dict)
    """Labels not in the task. Such rows are not left out: every answer to them counts as wrong."""
    repeated: int = 0
    """Repeats of an id with the same label, counted once."""
    contradicting: int = 0
    """Rows whose id has conflicting labels."""
    examples: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The first few places of each issue."""


@dataclass(frozen=True, slots=True)
class Gold:
    """The gold labels of one file. If `by_row`, it has no ids, and its rows are in the run's order."""

    file: str
    rows: int
    label_field: str
    id_field: str | None
    issues: GoldIssues
    digest: str
    """Digest of the file's bytes; empty for standard input."""
    labels: Mapping["_Key", str] = field(repr=False)
    unanswerable: Mapping["_Key", str] = field(repr=False)
    """Rows whose label is not in the task, with that label as written: no answer to them is right."""
    space: LabelSpace = field(repr=False)
    """The values of the fields that have gold."""

    @property
    def by_row(self) -> bool:
        """Whether rows are matched by position, because there are no ids."""
        return self.id_field is None

    def key_for(self, row: int, row_id: RowId | None, *, typed: bool) -> "_Key | None":
        """The key of the gold label for a row of the run, or None if there is none.

        Ids keep their JSON type, so that `1` and `"1"` differ; but a CSV cell has no type, on either side, and also
        matches the number.

        Args:
            row: the row's position in the run's input.
            row_id: its id; None if it could not be read.
            typed: whether that id has a JSON type.
        """
        if self.by_row:
            keys: list[_Key] = [("row", row)]
        elif row_id is None:
            return None
        else:
            keys = [_key(row_id), ("cell", _spelled(row_id)), *(() if typed else _numbers(row_id))]
        return next((key for key in keys if key in self.labels or key in self.unanswerable), None)

    def label_of(self, key: "_Key") -> str:
        """The gold label for a key from `key_for`, which may not be in the task."""
        return self.labels[key] if key in self.labels else self.unanswerable[key]


_Key = tuple[str, RowId]


def read_gold(options: GoldOptions, task: Task, *, some_fields: bool = False) -> Gold:
    """Read a gold file.

    Labels may be spelled as in answers: by a task label, an alias, or in different case.

    Args:
        options: the file.
        task: the task.
        some_fields: whether it may have columns for only some of the task's fields.

    Raises:
        UsageError: the file cannot be read, no field looks like the label, or none of its rows can be used.
    """
    reading = ReaderOptions(encoding=AUTO)
    with looked_at((options.file,), reading) as (item, *more):
        if more:
            raise UsageError(f"{item.label}: gold labels are read from one file", hint="merge them into one")
        return _read(item, reading, options, task, some_fields=some_fields)


def _read(item: Input, reading: ReaderOptions, options: GoldOptions, task: Task, *, some_fields: bool) -> Gold:
    records = read_records(item, reading)
    head = list(islice(records, _LOOKED_AT))
    if not head:
        raise UsageError(f"{item.label}: no rows")
    names = list(dict.fromkeys(name for record in head if isinstance(record, Record) for name in record.fields))
    label_fields = _label_fields(item.label, options, names, task.label_space, some_fields=some_fields)
    space = task.label_space.of_fields(label_fields)
    others = [name for name in names if name not in label_fields.values()]
    id_field = _chosen(item.label, options.id_field, ID_NAMES, others)
    gold = _Collector(task, space, label_fields, id_field)
    for record in chain(head, records):
        gold.add(record)
    labels = {key: label for key, label in gold.labels.items() if label in space}
    if not labels:
        raise UsageError(f"{item.label}: no row can be used as gold: {gold.why_not()}", hint=gold.hint())
    unanswerable = {key: label for key, label in gold.labels.items() if key not in labels}
    label_field = ", ".join(label_fields.values())
    return Gold(item.label, gold.rows, label_field, id_field, gold.issues(), _digest(item), labels, unanswerable, space)


def _label_fields(
    label: str, options: GoldOptions, names: Sequence[str], space: LabelSpace, *, some_fields: bool
) -> Mapping[str, str]:
    """The gold file's field for each of the task's fields, or for some of them.

    Raises:
        UsageError: one is missing; or all are, if some suffice.
    """
    if len(space.columns()) == 1:
        (only,) = space.columns()
        known = LABEL_NAMES if space.is_plain else (only.casefold(), *LABEL_NAMES)
        if (chosen := _chosen(label, options.label_field, known, names)) is not None:
            return {only: chosen}
        raise UsageError(
            f"{label}: no field looks like the label; its fields are {listed(names)}",
            hint="name it with --label-field NAME",
        )
    if options.label_field is not None:
        raise UsageError(
            "--label-field names one label; this task has several fields", hint="name columns after the fields"
        )
    found = {column: _chosen(label, None, (column.casefold(),), names) for column in space.columns()}
    missing = [column for column, name in found.items() if name is None]
    if missing and (not some_fields or len(missing) == len(found)):
        raise UsageError(
            f"{label}: no field named {listed(missing)}; its fields are {listed(names)}",
            hint="gold labels need one column per task field, with the same name",
        )
    return {column: name for column, name in found.items() if name is not None}


class _Collector:
    """Sorts records into gold labels and issues."""

    def __init__(self, task: Task, space: LabelSpace, label_fields: Mapping[str, str], id_field: str | None) -> None:
        self._task = task
        self._space = space
        self._label_fields = label_fields
        self._own_result = frozenset({"row", "id", "confidence", *task.label_space.columns()})
        self._id_field = id_field
        self._found: Counter[str] = Counter()
        self._unknown: Counter[str] = Counter()
        self._contradicted: dict[_Key, int] = {}
        self._examples: dict[str, list[str]] = {}
        self.labels: dict[_Key, str] = {}
        self.rows = 0

    def add(self, record: Record | Rejection) -> None:
        self.rows += 1
        if isinstance(record, Rejection):
            self._note("unreadable", f"{record.place} {record.message}")
            return
        if not _is_human(record, self._own_result):
            self._note("not_human", str(record.place))
            return
        label = self._label(record)
        key = self._key(record)
        if label is not None and key is not None:
            self._put(key, label, record)

    def _label(self, record: Record) -> str | None:
        cells = {name: as_cell(record.fields.get(found)) for name, found in self._label_fields.items()}
        if not all(cells.values()):
            self._note("unlabelled", f"{record.place}{self._said_of_empty(cells)}")
            return None
        if (label := self._space.spelled_in(cells)) is None:
            label = self._space.as_spelled(cells)
            self._unknown[label] += 1
        return label

    def _said_of_empty(self, cells: Mapping[str, str]) -> str:
        """What an empty cell of a field that may have no label at all could have meant."""
        several = {one.name for one in self._space.fields if one.kind is FieldKind.multi}
        empty = [name for name, cell in cells.items() if not cell]
        return f", {listed(empty)} empty: write {NONE} if no label is right" if several >= set(empty) else ""

    def _key(self, record: Record) -> _Key | None:
        if self._id_field is None:
            return ("row", record.index)
        value = record.fields.get(self._id_field)
        if isinstance(value, str | int | float) and value != "":
            return _key(value) if record.typed else ("cell", value)
        self._note("without_id", str(record.place))
        return None

    def _put(self, key: _Key, label: str, record: Record) -> None:
        if key in self._contradicted:
            self._contradicted[key] += 1
        elif (standing := self.labels.get(key)) is None:
            self.labels[key] = label
        elif standing == label:
            self._note("repeated", f"{record.place} id {key[1]!r}")
        else:
            del self.labels[key]
            self._contradicted[key] = 2
            self._note("contradicting", f"{record.place} id {key[1]!r}: {standing} or {label}")

    def _note(self, issue: str, where: str) -> None:
        self._found[issue] += 1
        examples = self._examples.setdefault(issue, [])
        if len(examples) < _TOLD:
            examples.append(where)

    def issues(self) -> GoldIssues:
        return GoldIssues(
            unreadable=self._found["unreadable"],
            unlabelled=self._found["unlabelled"],
            not_human=self._found["not_human"],
            without_id=self._found["without_id"],
            unknown=dict(self._unknown.most_common()),
            repeated=self._found["repeated"],
            contradicting=sum(self._contradicted.values()),
            examples={issue: tuple(places) for issue, places in self._examples.items()},
        )

    def why_not(self) -> str:
        """Why a file has no usable row, in a few words."""
        if self._unknown:
            return f"its labels are not in the task ({listed(list(self._unknown))})"
        found = [f"{count} {name.replace('_', ' ')}" for name, count in self._found.most_common()]
        return ", ".join(found)

    def hint(self) -> str:
        """What to do about unusable gold."""
        labels = listed(self._space.parts, most=_TOLD)
        return f"the task {self._task.name} has the labels {labels}; --label-field names a field"


def _is_human(record: Record, own_result: frozenset[str]) -> bool:
    """Whether a person decided: stated by the record, or assumed if the file is not a run's own results."""
    if DECIDED_BY in record.fields:
        return bool(record.fields[DECIDED_BY] == HUMAN)
    return not (record.fields.keys() >= own_result and record.fields["confidence"] not in (None, ""))


def _digest(item: Input) -> str:
    if item.path is None:
        return ""
    with item.path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _chosen(file: str, wanted: str | None, known: Sequence[str], names: Sequence[str]) -> str | None:
    if wanted is not None:
        if wanted not in names:
            raise UsageError(f"{file}: no field named {wanted!r}", hint=f"its fields are {listed(names)}")
        return wanted
    by_folded = {name.strip().casefold(): name for name in reversed(names)}
    return next((by_folded[name] for name in known if name in by_folded), None)


def _key(row_id: RowId) -> _Key:
    match row_id:
        case bool():
            return ("boolean", row_id)
        case str():
            return ("string", row_id)
        case _:
            return ("number", row_id)


def _spelled(value: RowId) -> str:
    """The cell text of an id."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _numbers(cell: RowId) -> list[_Key]:
    """The number in a cell, if it is one."""
    try:
        return [("number", int(cell))] if str(int(cell)) == cell else []
    except ValueError:
        return []


def gold_issue_notes(issues: GoldIssues) -> Iterator[str]:
    """The issues as text."""
    notes = (
        ("unreadable", "gold rows that cannot be read"),
        ("unlabelled", "gold rows without a label"),
        ("not_human", "gold rows without a human decision, left out"),
        ("without_id", "gold rows without an id"),
        ("repeated", "gold rows that repeat an id and its label"),
        ("contradicting", "gold rows left out because their id has different labels"),
    )
    for issue, what in notes:
        if count := getattr(issues, issue):
            first = "; ".join(issues.examples.get(issue, ())[:2])
            yield f"{what}: {count:,} (first: {first})"
    if issues.unknown:
        labels = ", ".join(f"{label!r} {count:,}" for label, count in list(issues.unknown.items())[:_TOLD])
        more = f" and {len(issues.unknown) - _TOLD} more" if len(issues.unknown) > _TOLD else ""
        count = sum(issues.unknown.values())
        yield f"gold rows with a label that is not in the task: {count:,}, counted as wrong ({labels}{more})"
