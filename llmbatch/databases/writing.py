"""Writes to tables: rows replace those with the same ids, in one transaction for all tables.

Names are quoted (`quoted`, `listed`), and values are never part of a statement.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from secrets import token_hex
from typing import Any, Protocol

from llmbatch.core.errors import UsageError
from llmbatch.databases.address import SQLITE, DatabaseAddress
from llmbatch.databases.postgresql_tables import postgresql_transaction
from llmbatch.databases.sqlite_tables import sqlite_transaction
from llmbatch.databases.tables import ColumnType, TableName, listed, quoted

ID = "id"
_AT_ONCE = 1_000
"""Rows."""


class Transaction(Protocol):
    """A transaction on a database: everything in it happens, or nothing."""

    def compared(self, name: str) -> str:
        """A column's name for comparison: case-sensitive or not."""

    def columns_of(self, table: TableName) -> Mapping[str, str] | None:
        """The declared types of a table's columns, by name; None if there is no such table."""

    def create(self, table: TableName, columns: Mapping[str, ColumnType]) -> None:
        """Create a table."""

    def declared(self, column: ColumnType) -> str:
        """The declaration of a column of this type."""

    def lock(self, table: TableName) -> None:
        """Prevent others from writing to a table until the end."""

    def execute(self, statement: str) -> None:
        """Run a statement without values."""

    def load(self, table: str, columns: Mapping[str, ColumnType], rows: Sequence[Sequence[Any]]) -> int:
        """Add rows to a temporary table; returns how many values had a NUL, which the database does not allow."""

    def check_types(self, staged: str, table: TableName, columns: Mapping[str, ColumnType]) -> None:
        """Refuse staged values that the table would accept in spite of its types.

        Raises:
            UsageError: there are some.
        """


class TableReplacement:
    """One table being written: rows are collected in a temporary table with the same types, and moved at the end."""

    def __init__(
        self,
        transaction: Transaction,
        table: TableName,
        columns: Mapping[str, ColumnType],
        optional: Collection[str] = (),
    ) -> None:
        """Create the table, or check that it has these columns.

        Args:
            transaction: the transaction.
            table: the table.
            columns: the columns to write; `id` is one of them.
            optional: those that are left out if the table lacks them.

        Raises:
            UsageError: the table lacks some of the others.
        """
        self._transaction = transaction
        self._table = table
        self._columns = columns
        self._rows: list[Sequence[Any]] = []
        self._ids: list[Sequence[Any]] = []
        self.nul_values = 0
        """Number of values that got U+FFFD instead of a NUL."""
        if (existing := transaction.columns_of(table)) is None:
            transaction.create(table, columns)
        else:
            there = {transaction.compared(name) for name in existing}
            missing = [name for name in columns if transaction.compared(name) not in there]
            self._check([name for name in missing if name not in optional])
            self._columns = {name: kind for name, kind in columns.items() if name not in missing}
        self._staged = f"llmbatch_{token_hex(8)}"
        self._replaced = f"{self._staged}_ids"
        for name, some in ((self._staged, listed(self._columns)), (self._replaced, ID)):
            transaction.execute(f"create temporary table {name} as select {some} from {table.quoted} where false")  # noqa: S608

    def replace(self, row_id: Any) -> None:
        """Remove the table's rows with this id."""
        self._ids.append((row_id,))
        if len(self._ids) >= _AT_ONCE:
            self._load_ids()

    def add(self, values: Mapping[str, Any]) -> None:
        """Add a row; columns that it lacks are null."""
        self._rows.append([values.get(name) for name in self._columns])
        if len(self._rows) >= _AT_ONCE:
            self._load_rows()

    def finish(self) -> None:
        """Move all rows into the table.

        Raises:
            UsageError: the table refuses something.
        """
        self._load_ids()
        self._load_rows()
        self._transaction.check_types(self._staged, self._table, self._columns)
        self._transaction.lock(self._table)  # not earlier: others write to it while rows are collected
        table, columns = self._table.quoted, listed(self._columns)
        self._transaction.execute(f"delete from {table} where {ID} in (select {ID} from {self._replaced})")  # noqa: S608
        self._transaction.execute(f"insert into {table} ({columns}) select {columns} from {self._staged}")  # noqa: S608

    def _load_ids(self) -> None:
        self._transaction.load(self._replaced, {ID: self._columns[ID]}, self._ids)
        self._ids = []

    def _load_rows(self) -> None:
        self.nul_values += self._transaction.load(self._staged, self._columns, self._rows)
        self._rows = []

    def _check(self, missing: Sequence[str]) -> None:
        if missing:
            added = ", ".join(f"add column {quoted(name)} {self._declared(name)}" for name in missing)
            raise UsageError(
                f"table {self._table} lacks the columns {', '.join(missing)}; nothing was written",
                hint=f"name another table, or: alter table {self._table.quoted} {added}",
            )

    def _declared(self, name: str) -> str:
        return self._transaction.declared(self._columns[name])


def table_transaction(address: DatabaseAddress) -> AbstractContextManager[Transaction]:
    """A transaction on a database of either kind, committed at the end of the block.

    Raises:
        UsageError: the database cannot be opened, or refuses something; nothing is changed.
    """
    return sqlite_transaction(address) if address.kind == SQLITE else postgresql_transaction(address)
