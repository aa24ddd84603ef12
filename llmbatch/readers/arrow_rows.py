"""Rows of Arrow record batches as JSON values, for files in Parquet and Arrow and for tables in memory."""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any

from llmbatch.core.binary import text_or_base64
from llmbatch.readers.columns import check_distinct

BATCH_ROWS = 1_000
_UNNAMED_INDEX = "__index_level_"
"""pandas' name for an unnamed index."""


def arrow_columns(names: Sequence[str], table: str | None = None) -> dict[int, str]:
    """The names of a table's columns by position, without pandas' unnamed index.

    Args:
        names: of all its columns.
        table: the table, for the error.

    Raises:
        UsageError: two columns have the same name.
    """
    columns = {n: name for n, name in enumerate(names) if not name.startswith(_UNNAMED_INDEX)}
    check_distinct(list(columns.values()), table)
    return columns


def arrow_rows(batch: Any, columns: Mapping[int, str]) -> Iterator[dict[str, Any]]:
    """The rows of a record batch.

    Args:
        batch: a `pyarrow.RecordBatch`; its values are converted column by column, before the first row.
        columns: see `arrow_columns`.

    Raises:
        ValueError, OverflowError: a value cannot be represented, such as a string that is not UTF-8.
    """
    cells = [_values(batch.column(n)) for n in columns]
    names = tuple(columns.values())
    if not cells:
        return iter([{} for _ in range(batch.num_rows)])
    return (dict(zip(names, row, strict=True)) for row in zip(*cells, strict=True))


def _values(column: Any) -> list[Any]:
    """A column's values as JSON values."""
    from pyarrow import string, timestamp, types  # noqa: PLC0415 - comes with an extra

    kind = column.type
    if types.is_timestamp(kind) and kind.tz:
        column = column.cast(timestamp(kind.unit, "UTC"))  # needs no database of zones to be written
    if types.is_timestamp(kind) or types.is_time(kind) or types.is_date(kind):  # to the nanosecond, in any year
        return [value and value.replace(" ", "T") for value in column.cast(string()).to_pylist()]
    values: list[Any] = column.to_pylist()
    is_plain = types.is_string(kind) or types.is_large_string(kind) or types.is_integer(kind) or types.is_boolean(kind)
    return values if is_plain else [_plain(value) for value in values]


def _plain(value: Any) -> Any:
    match value:
        case float():
            return value if math.isfinite(value) else None if math.isnan(value) else str(value)
        case bytes():
            return text_or_base64(value)
        case list() if value and all(isinstance(one, tuple) for one in value):  # a map
            return [[_plain(key), _plain(one)] for key, one in value]
        case list():
            return [_plain(one) for one in value]
        case dict():
            return {name: _plain(one) for name, one in value.items()}
        case date() | time():
            return value.isoformat()
        case Decimal() | timedelta():
            return str(value)
        case None | str() | int():
            return value
        case _:
            return str(value)
