"""The cost of a run's rows in groups, by a ledger property or an input field.

The ledger is read once, and so is the input if a field is requested. Memory holds a few bytes per row and the sums of
each group.
"""

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson

from llmbatch.core.errors import UsageError
from llmbatch.core.key_index import KeyIndex, short
from llmbatch.core.ledger_line import LedgerLine
from llmbatch.core.rows import Row, RowId
from llmbatch.core.usage import UsageTotals
from llmbatch.runs.folder import RunFolder, RunRecord, load_record
from llmbatch.runs.input import RunInput
from llmbatch.runs.ledger.recover import read_lines
from llmbatch.runs.recorded_plan import recorded_plan
from llmbatch.runs.standing import standing_run
from llmbatch.runs.trust import NO_TRUST, Trust
from llmbatch.spend.report import Report, grouped, total_of

GONE = "(rows no longer in the input)"
NO_FIELD = "(no such field)"
UNLABELLED = "(no label)"
KILLED = "(in flight when a run was killed)"
_LONGEST_NAME = 200
_DAY = len("2026-11-25")

Span = Callable[[str], bool]
"""A predicate: whether a day is in the period."""

_OF_LINES: dict[str, Callable[[LedgerLine], str]] = {
    "label": lambda line: line.category or UNLABELLED,
    "model": lambda line: line.model,
    "prompt": lambda line: line.prompt,
    "day": lambda line: line.started_at[:_DAY],
}


def attribute(path: Path, by: str, spans: Sequence[Span], trust: Trust = NO_TRUST) -> list[dict[str, UsageTotals]]:
    """A run's totals by `label`, `model`, `prompt` or `day`, by one of the task's fields, or by a field of the input.

    Args:
        path: the run folder; another process may be using it.
        by: what to group by; `field:NAME` for a field with one of the names above.
        spans: the days of each answer; a row's day is the one on which it was first sent.
        trust: what the user says about the folder.

    Returns:
        The groups for each span.

    Raises:
        UsageError: not a run folder, its ledger is damaged, its input can no longer be read, or no row has the field.
    """
    folder, record = standing_run(path)
    group_of = _OF_LINES.get(by) or _of_task(record, by)
    if group_of is None:
        group_of = _Fields(folder, record, by.removeprefix("field:"), trust).group_of
    groups: list[dict[str, UsageTotals]] = [{} for _ in spans]
    for _, line in read_lines(folder.ledger):
        for is_in, sums in zip(spans, groups, strict=True):
            if is_in(line.started_at[:_DAY]):
                name = group_of(line)
                sums[name] = sums.get(name, UsageTotals()) + line.totals
    return groups


def run_report(path: Path, by: str, trust: Trust = NO_TRUST) -> Report:
    """A run's total cost in groups, including requests in flight when it was killed.

    Raises:
        UsageError: as for `attribute`.
    """
    (groups,) = attribute(path, by, [lambda _: True], trust)
    killed = load_record(RunFolder(path)).possibly_billed.values()
    if killed:
        requests = sum(session.requests for session in killed)
        at_most = sum(session.at_most_nanousd for session in killed)
        lost = UsageTotals(requests=requests, possibly_billed_requests=requests, possibly_billed_nanousd=at_most)
        groups[KILLED] = groups.get(KILLED, UsageTotals()) + lost
    return Report(by, grouped(by, groups), total_of(groups), offline=load_record(RunFolder(path)).offline)


def _of_task(record: RunRecord, by: str) -> Callable[[LedgerLine], str] | None:
    """A line's value of one of the task's fields; None if it has no field of that name."""
    space = record.task.label_space
    if space.is_plain or by not in space.columns():
        return None
    return lambda line: space.cells_of(line.category)[by] or UNLABELLED


class NoSuchFieldError(UsageError):
    """No row of a run has the field."""


class _Fields:
    """Finds a field's value for a ledger line: by the row's place and key, else by key, else by place and id."""

    def __init__(self, folder: RunFolder, record: RunRecord, field: str, trust: Trust) -> None:
        self._names: list[str] = []
        self._numbers: dict[str, int] = {}
        self._groups = array("L")
        self._keys = array("Q")
        self._ids = array("Q")
        self._by_key = KeyIndex()
        key, known = _key_by_plan(record), list[str]()
        for row in _rows(RunInput.again(record, folder, trust)):
            self._add(row, _name(row.fields, field), key(row.text))
            known = known or sorted(row.fields)
        if self._names == [NO_FIELD]:
            raise NoSuchFieldError(
                f"{folder.path}: no row has a field {field!r}",
                hint=f"the first row has {', '.join(known)}; label, model, prompt and day also work",
            )

    def group_of(self, line: LedgerLine) -> str:
        """The name of the line's group."""
        key, place = short(line.key), line.row
        if place >= len(self._keys) or self._keys[place] != key:
            number = self._by_key.get(key)
            if number is not None:
                return self._names[number]
            if place >= len(self._ids) or self._ids[place] != _digest(line.id):
                return GONE
        return self._names[self._groups[place]]

    def _add(self, row: Row, name: str, key: str | None) -> None:
        number = self._numbers.setdefault(name, len(self._names))
        if number == len(self._names):
            self._names.append(name)
        while len(self._groups) < row.index:  # skip unreadable rows
            self._groups.append(0)
            self._keys.append(0)
            self._ids.append(0)
        self._groups.append(number)
        self._ids.append(_digest(row.id))
        self._keys.append(0 if key is None else short(key))
        if key is not None:
            self._by_key[short(key)] = number


def _rows(source: RunInput) -> Iterator[Row]:
    return (item for item in source.read_again(lambda _: None) if isinstance(item, Row))


def _key_by_plan(record: RunRecord) -> Callable[[str], str | None]:
    """Row keys under the run's plan; none if this version's requests differ, and rows are matched by place and id."""
    try:
        return recorded_plan(record).key
    except UsageError:
        return lambda _: None


def _name(fields: Mapping[str, Any], field: str) -> str:
    if field not in fields:
        return NO_FIELD
    value = fields[field]
    text = value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
    return text[:_LONGEST_NAME]


def _digest(row_id: RowId) -> int:
    return int.from_bytes(blake2b(repr(row_id).encode("utf-8", "replace"), digest_size=8).digest())
