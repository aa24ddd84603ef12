"""Writes to PostgreSQL, with psycopg (extra `sql`)."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from llmbatch.core.errors import UsageError
from llmbatch.databases.address import DatabaseAddress
from llmbatch.databases.postgresql import connected
from llmbatch.databases.tables import ColumnType, TableName, check_name, listed, quoted, written

if TYPE_CHECKING:
    from psycopg import Connection

_DECLARED = {
    ColumnType.BOOLEAN: "boolean",
    ColumnType.INTEGER: "bigint",
    ColumnType.REAL: "double precision",
    ColumnType.EXACT: "numeric",
    ColumnType.TEXT: "text",
    ColumnType.JSON: "jsonb",
}
_COLUMNS = """
select attname, format_type(atttypid, atttypmod) from pg_attribute
where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped
order by attnum
"""
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_NUL_IN_JSON = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


@contextmanager
def postgresql_transaction(address: DatabaseAddress) -> "Iterator[PostgresqlTransaction]":
    """A transaction, committed at the end of the block.

    Raises:
        UsageError: there is no connection, or the server refuses something.
    """
    with connected(address) as connection:
        import psycopg  # noqa: PLC0415 - comes with an extra

        connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED  # sees what others wrote before the lock
        try:
            yield PostgresqlTransaction(connection)
            connection.commit()
        except psycopg.Error as error:
            message = error.diag.message_primary or str(error)
            raise UsageError(
                f"{address.name}: nothing was written: {' '.join(message.split())}", hint=error.diag.message_hint
            ) from None


class PostgresqlTransaction:
    """See `Transaction`."""

    def __init__(self, connection: "Connection[tuple[Any, ...]]") -> None:
        self._connection = connection

    def compared(self, name: str) -> str:
        """See `Transaction`."""
        return name

    def columns_of(self, table: TableName) -> Mapping[str, str] | None:
        """See `Transaction`."""
        return dict(self._connection.execute(_COLUMNS, (table.quoted,)).fetchall()) or None

    def create(self, table: TableName, columns: Mapping[str, ColumnType]) -> None:
        """See `Transaction`."""
        for name in columns:
            check_name(name, "column")
        declared = ", ".join(f"{quoted(name)} {self.declared(column)}" for name, column in columns.items())
        self.execute(f"create table {table.quoted} ({declared})")

    def declared(self, column: ColumnType) -> str:
        """See `Transaction`."""
        return _DECLARED[column]

    def lock(self, table: TableName) -> None:
        """See `Transaction`."""
        self.execute(f"lock table {table.quoted} in share row exclusive mode")

    def execute(self, statement: str) -> None:
        """See `Transaction`."""
        self._connection.execute(statement.encode())

    def load(self, table: str, columns: Mapping[str, ColumnType], rows: Sequence[Sequence[Any]]) -> int:
        """See `Transaction`. The server parses each value by its column's type, and refuses invalid ones."""
        into = f"copy pg_temp.{table} ({listed(columns)}) from stdin"
        changed = 0
        with self._connection.cursor() as cursor, cursor.copy(into.encode()) as copy:
            for row in rows:
                cells = [written(value) for value in row]
                without = [_without_nul(cell, value) for cell, value in zip(cells, row, strict=True)]
                changed += sum(cell != one for cell, one in zip(cells, without, strict=True))
                copy.write_row(without)
        return changed

    def check_types(self, staged: str, table: TableName, columns: Mapping[str, ColumnType]) -> None:
        """Do nothing: the server has checked them."""


def _without_nul(cell: str | None, value: Any) -> str | None:
    """A value as text, with U+FFFD instead of NUL, which the server does not accept."""
    if cell is None or isinstance(value, str):
        return cell and cell.replace("\0", _REPLACEMENT)
    return _NUL_IN_JSON.sub(rf"\1{_REPLACEMENT}", cell)
