"""Tables to write rows to: their names, and the types of their columns, from their values."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from llmbatch.core.errors import UsageError
from llmbatch.core.exact_numbers import Number
from llmbatch.core.jsonlines import as_text
from llmbatch.databases.address import is_utf8

_LONGEST_NAME = 63
"""In bytes: PostgreSQL truncates longer names, and two could become the same."""
_LARGEST_IN_64_BITS = 2**63


class ColumnType(Enum):
    """The type of a column. `EXACT` is for numbers that floats cannot represent."""

    BOOLEAN = auto()
    INTEGER = auto()
    REAL = auto()
    EXACT = auto()
    TEXT = auto()
    JSON = auto()


_NUMBERS = (ColumnType.INTEGER, ColumnType.REAL, ColumnType.EXACT)


@dataclass(frozen=True, slots=True)
class TableName:
    """A table, in a schema if one is named."""

    table: str
    schema: str | None = None

    def __str__(self) -> str:
        return self.table if self.schema is None else f"{self.schema}.{self.table}"

    @property
    def quoted(self) -> str:
        """The name in SQL."""
        return ".".join(quoted(part) for part in (self.schema, self.table) if part is not None)

    def with_suffix(self, suffix: str) -> "TableName":
        """The table whose name has this suffix."""
        return TableName(self.table + suffix, self.schema)


def parse_table_name(text: str, longest_suffix: str = "") -> TableName:
    """A table as the user names it: `labels`, or `reports.labels` in a schema.

    Args:
        text: the name.
        longest_suffix: the longest suffix of related tables' names.

    Raises:
        UsageError: it is not a table name.
    """
    schema, _, table = text.rpartition(".")
    if not table or text.startswith("."):
        raise UsageError(f"--table {text!r} is not a table name", hint="use --table labels or --table SCHEMA.labels")
    for name in (schema, table + longest_suffix):
        check_name(name, "--table")
    return TableName(table, schema or None)


def check_name(name: str, what: str) -> None:
    """Refuse a name that a database would refuse or truncate.

    Raises:
        UsageError: it is such a name; `what` says what it names.
    """
    if "\0" in name or not is_utf8(name) or len(name.encode()) > _LONGEST_NAME:
        raise UsageError(f"{what} {name!r}: names must be UTF-8 without NUL, {_LONGEST_NAME} bytes at most")


def quoted(name: str) -> str:
    """A name quoted for SQL, whatever it contains."""
    return '"' + name.replace('"', '""') + '"'


def listed(names: Iterable[str]) -> str:
    """A list of column names in SQL."""
    return ", ".join(map(quoted, names))


def type_of(value: Any) -> ColumnType | None:
    """The type of a value; None if it is null."""
    match value:
        case None:
            return None
        case bool():
            return ColumnType.BOOLEAN
        case int():
            return ColumnType.INTEGER if -_LARGEST_IN_64_BITS <= value < _LARGEST_IN_64_BITS else ColumnType.EXACT
        case Number():
            return ColumnType.EXACT
        case float():
            return ColumnType.REAL
        case str():
            return ColumnType.TEXT
        case _:
            return ColumnType.JSON


def common_type(one: ColumnType | None, value: Any) -> ColumnType | None:
    """The type of a column with values of type `one` and this value. Different types together are text."""
    other = type_of(value)
    if one is None or other is None or one is other:
        return one or other
    if one not in _NUMBERS or other not in _NUMBERS:
        return ColumnType.TEXT
    return ColumnType.EXACT


def written(value: Any) -> str | None:
    """A value for a text column: NULL for none."""
    return None if value is None else as_text(value)
