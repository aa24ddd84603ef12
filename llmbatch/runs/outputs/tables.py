"""The views of a run as database tables: results, rows that need review, and failed rows."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from llmbatch.core.rows import Rejection, RowId
from llmbatch.databases import (
    ColumnType,
    DatabaseAddress,
    TableName,
    TableReplacement,
    Transaction,
    common_type,
    parse_address,
    parse_table_name,
    table_transaction,
)
from llmbatch.runs.outputs.counts import OutputCounts, Tally
from llmbatch.runs.outputs.make import renamed_fields
from llmbatch.runs.outputs.outcome import FAILED_VIEW, RESULTS, REVIEW, UNDONE, Outcome
from llmbatch.runs.outputs.records import (
    FAILURE_COLUMNS,
    Values,
    failure_record,
    labelled_record,
    own_columns,
    rejection_record,
)
from llmbatch.runs.outputs.rows import RunRows

_SUFFIXES = {RESULTS: "", REVIEW: "_review", FAILED_VIEW: "_failed"}
_TYPES = {
    **dict.fromkeys(("row", "line"), ColumnType.INTEGER),
    **dict.fromkeys(("confidence", "model_confidence"), ColumnType.REAL),
    "text": ColumnType.TEXT,
    **dict.fromkeys(("confidences", "conflict", "fields"), ColumnType.JSON),
}
"""Types of the program's own columns; those of labels and ids depend on the values."""


@dataclass(frozen=True, slots=True)
class TableDestination:
    """Where tables are written."""

    address: DatabaseAddress
    table: TableName

    @classmethod
    def parse(cls, address: str, table: str) -> "TableDestination":
        """A destination as the user names it.

        Raises:
            UsageError: it is not a valid destination.
        """
        return cls(parse_address(address), parse_table_name(table, max(_SUFFIXES.values(), key=len)))


@dataclass(frozen=True, slots=True)
class _ViewRow:
    """A row of a view. A row that could not be read has no id of its own."""

    view: str
    id: RowId
    record: Mapping[str, Any] = field(repr=False)
    is_rejected: bool = False


class _AnyCase:
    """Names compared without case: in SQLite, `ID` and `id` are the same name, and people confuse them."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = {name.lower() for name in names}

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._names


@dataclass(slots=True)
class _Columns:
    """The columns of a view's table: the program's own, and others with types by their values."""

    own: tuple[str, ...]
    by_value: dict[str, ColumnType | None]
    rows: int = 0
    filled: set[str] = field(default_factory=set)

    def take_in(self, record: Mapping[str, Any]) -> None:
        self.rows += 1
        for name, value in record.items():
            if value is not None:
                self.filled.add(name)
            if name not in self.own or name not in _TYPES:
                self.by_value[name] = common_type(self.by_value.get(name), value)

    def typed(self) -> dict[str, ColumnType]:
        others = {name: found or ColumnType.TEXT for name, found in self.by_value.items()}
        return {name: _TYPES.get(name) or others.get(name) or ColumnType.TEXT for name in self.own} | others

    def optional(self) -> list[str]:
        """Columns that a table of the user's need not have: those without values, and the row number."""
        return [name for name in self.own if name == "row" or (name not in self.filled and name != "id")]


def write_tables(destination: TableDestination, rows: RunRows) -> OutputCounts:
    """Write the views of a run into tables: in one transaction, its rows replace those with the same ids.

    Missing tables are created, those of review and failures only if there are rows for them. When a row is written to
    one of them, its id is removed from the others. The input is read twice, the first time for the types of its fields.

    Raises:
        UsageError: the database cannot be opened or refuses something, or a table lacks columns. It is not changed.
    """
    space = rows.decisions.label_space
    own = own_columns(space)
    in_any_case = _AnyCase(own)

    def view_rows(tally: Tally, renamed: dict[str, str]) -> Iterator[_ViewRow]:
        for item, carried in rows.outcomes():
            if isinstance(item, Rejection):
                tally.reject(item)
                record = rejection_record(item)
                yield _ViewRow(FAILED_VIEW, record["id"], record, is_rejected=True)
                continue
            tally.add(item)
            if item.view != UNDONE:
                beside = renamed_fields(carried, renamed, in_any_case)
                yield _ViewRow(item.view, item.row.id, _record(item, beside, space.columns_of))

    columns = _columns(view_rows(Tally(space), {}), own)
    tally, renamed = Tally(space), dict[str, str]()
    with table_transaction(destination.address) as transaction:
        tables = _tables(transaction, destination.table, columns)
        for row in view_rows(tally, renamed):
            for view, table in tables.items():
                if view == FAILED_VIEW:
                    table.replace(str(row.id))
                elif not row.is_rejected:
                    table.replace(row.id)
            tables[row.view].add(row.record)
        for table in tables.values():
            table.finish()
    written = {view: _named(destination.table, view) for view in tables}
    nul_values = sum(table.nul_values for table in tables.values())
    return replace(tally.frozen(written, rows.decisions), renamed=renamed, nul_values=nul_values)


def _columns(rows: Iterator[_ViewRow], own: tuple[str, ...]) -> dict[str, _Columns]:
    without_text = tuple(name for name in own if name != "text")
    by_value: dict[str, ColumnType | None] = {}  # for both views, since a row in review becomes a result
    columns = {
        RESULTS: _Columns(without_text, by_value),
        REVIEW: _Columns(own, by_value),
        FAILED_VIEW: _Columns(FAILURE_COLUMNS, {}),
    }
    for row in rows:
        columns[row.view].take_in(row.record)
    return columns


def _tables(transaction: Transaction, name: TableName, columns: Mapping[str, _Columns]) -> dict[str, TableReplacement]:
    tables: dict[str, TableReplacement] = {}
    for view, found in columns.items():
        table = _named(name, view)
        if view == RESULTS or found.rows or transaction.columns_of(table) is not None:
            tables[view] = TableReplacement(transaction, table, found.typed(), found.optional())
    return tables


def _named(name: TableName, view: str) -> TableName:
    return name.with_suffix(_SUFFIXES[view])


def _record(item: Outcome, carried: Mapping[str, Any], values: Values) -> dict[str, Any]:
    if (error := item.failure) is not None:
        return failure_record(item.row, error)
    return labelled_record(item, carried, values)
