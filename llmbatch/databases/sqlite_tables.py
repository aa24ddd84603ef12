"""Writes to SQLite, with the driver of the standard library."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from llmbatch.core.errors import UsageError
from llmbatch.core.exact_numbers import Number
from llmbatch.core.files import create_file
from llmbatch.databases.address import DatabaseAddress
from llmbatch.databases.tables import ColumnType, TableName, listed, quoted, type_of, written

_DECLARED = {
    ColumnType.BOOLEAN: "boolean",
    ColumnType.INTEGER: "integer",
    ColumnType.REAL: "real",
    ColumnType.EXACT: "",  # so that SQLite leaves each value as it is
    ColumnType.TEXT: "text",
    ColumnType.JSON: "text",
}


def _exact(value: Any) -> int | float | str:
    """A number in SQLite's form, or as text if it would lose digits."""
    literal = written(value) or ""
    if isinstance(value, int):
        return value if type_of(value) is ColumnType.INTEGER else literal
    return literal if isinstance(value, Number) and not value.keeps_digits else float(value)


_CONVERTED: dict[ColumnType, Callable[[Any], Any]] = {
    ColumnType.INTEGER: int,
    ColumnType.REAL: float,
    ColumnType.EXACT: _exact,
}
"""How a value is stored in a column of each type; in all others it is text."""
_NUMERIC_TYPES = ("INT", "REAL", "FLOA", "DOUB")
"""Parts of declared types that mean numbers alone (https://www.sqlite.org/datatype3.html#determination_of_column_affinity)."""
_BUSY_S = 30


@contextmanager
def sqlite_transaction(address: DatabaseAddress) -> "Iterator[SqliteTransaction]":
    """A transaction, committed at the end of the block. A missing file is created, and removed again on failure.

    Raises:
        UsageError: the database cannot be opened, or refuses something.
    """
    path = Path(address.target)
    is_new = not path.exists()
    try:
        if is_new:
            create_file(path).close()
        with closing(sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)) as connection:
            connection.execute("begin immediate")
            yield SqliteTransaction(connection)
            connection.execute("commit")
    except BaseException as error:
        if is_new:
            path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise UsageError(f"{address.name}: cannot be created ({error.strerror})") from None
        if isinstance(error, sqlite3.Error):
            raise UsageError(f"{address.name}: nothing was written: {error}") from None
        raise


class SqliteTransaction:
    """See `Transaction`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def compared(self, name: str) -> str:
        """See `Transaction`."""
        return name.lower()

    def columns_of(self, table: TableName) -> Mapping[str, str] | None:
        """See `Transaction`."""
        found = self._connection.execute(f"pragma {quoted(table.schema or 'main')}.table_info({quoted(table.table)})")
        return {column[1]: column[2] for column in found} or None

    def create(self, table: TableName, columns: Mapping[str, ColumnType]) -> None:
        """See `Transaction`."""
        declared = ", ".join(f"{quoted(name)} {self.declared(column)}" for name, column in columns.items())
        self.execute(f"create table {table.quoted} ({declared})")

    def declared(self, column: ColumnType) -> str:
        """See `Transaction`."""
        return _DECLARED[column]

    def lock(self, table: TableName) -> None:
        """Do nothing: the whole database is locked from the beginning."""

    def execute(self, statement: str) -> None:
        """See `Transaction`."""
        self._connection.execute(statement)

    def load(self, table: str, columns: Mapping[str, ColumnType], rows: Sequence[Sequence[Any]]) -> int:
        """See `Transaction`."""
        convert = [_CONVERTED.get(column, _plain) for column in columns.values()]
        places = ", ".join("?" * len(columns))
        self._connection.executemany(
            f"insert into temp.{table} ({listed(columns)}) values ({places})",  # noqa: S608 - names are quoted
            ([None if v is None else c(v) for c, v in zip(convert, row, strict=True)] for row in rows),
        )
        return 0

    def check_types(self, staged: str, table: TableName, columns: Mapping[str, ColumnType]) -> None:
        """See `Transaction`: SQLite silently stores text in numeric columns."""
        written_to = set(map(self.compared, columns))
        for name, declared in (self.columns_of(table) or {}).items():
            if self.compared(name) not in written_to or not any(part in declared.upper() for part in _NUMERIC_TYPES):
                continue
            is_text = f"typeof({quoted(name)}) in ('text', 'blob')"
            if self._connection.execute(f"select 1 from temp.{staged} where {is_text} limit 1").fetchone():  # noqa: S608
                raise UsageError(
                    f"table {table} has a column {name} of type {declared}, and some of its values are text; "
                    "nothing was written",
                    hint="name another table",
                )


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, bool) else written(value)
