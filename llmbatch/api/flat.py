"""A run's results as one table: in memory, or in a Parquet file."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from llmbatch.core.extras import extra
from llmbatch.core.files import replacing, storing
from llmbatch.runs.outputs.parquet import ParquetFormat

if TYPE_CHECKING:
    from llmbatch.api.result import Result


def arrow_table(results: Iterable["Result"]) -> Any:
    """A pyarrow table. A column whose values have several types contains strings.

    Raises:
        UsageError: pyarrow is not installed.
    """
    with extra("tables", needed_by="Run.to_arrow"):
        import pyarrow as pa  # noqa: PLC0415 - an extra
    rows = [_flat(result) for result in results]
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: [row.get(name) for row in rows] for name in names}
    return pa.table({name: _column(pa, values) for name, values in columns.items()})


def write_parquet(results: Iterable["Result"], path: Path, types: Mapping[str, Any]) -> None:
    """A Parquet file, in constant memory.

    Args:
        results: iterated over twice.
        path: of the file.
        types: pyarrow's types of the input's columns, if known.

    Raises:
        UsageError: pyarrow is not installed.
        StorageFailed: the file cannot be written.
    """
    names = dict.fromkeys(name for result in results for name in _flat(result))
    carried = {name: kind for name, kind in types.items() if name not in _OWN}
    with storing(path), replacing(path) as file:
        writer = ParquetFormat(carried).writer(file, tuple(names))
        for result in results:
            writer.write(_flat(result))
        writer.close()


_OWN = frozenset({"row", "status", "category", "confidence", "error"})
"""Columns of the table that are not fields of the input."""
_TEXT = "text"
"""Fields that only rows in review have: they are not columns of a table of all rows."""


def _flat(result: "Result") -> dict[str, Any]:
    error = result.error
    row: dict[str, Any] = {
        "row": result.row,
        "id": result.id,
        "status": result.status,
        "category": result.category,
        "confidence": result.confidence,
        "error": None if error is None else f"{error['kind']}: {error['message']}",
    }
    if error is not None:
        return row
    return row | {name: value for name, value in result.record.items() if name not in row and name != _TEXT}


def _column(pa: Any, values: list[Any]) -> Any:
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return pa.array([None if value is None else _text(value) for value in values])


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
