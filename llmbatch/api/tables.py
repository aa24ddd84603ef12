"""Reads tables as rows, in batches: data frames, columns, and objects that support the Arrow C stream protocol.

Only the library of the given table is imported, or one that reads the protocol. The protocol is the Arrow PyCapsule
interface: `__arrow_c_stream__` returns record batches, `__arrow_c_array__` one of them.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any, Protocol

from llmbatch.core.errors import UsageError
from llmbatch.readers.arrow_rows import BATCH_ROWS, arrow_columns, arrow_rows
from llmbatch.readers.columns import check_distinct
from llmbatch.readers.faults import first_line


class ArrowStream(Protocol):
    """A table that supports the Arrow C stream protocol: of pandas, polars, pyarrow, DuckDB and others."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """A capsule with the stream."""


def table_rows(given: Any) -> Iterator[Mapping[str, Any]] | None:
    """The rows of a table; None if it is not a table.

    Args:
        given: what the caller gave as documents.

    Raises:
        UsageError: the table cannot be read, or two of its columns have the same name.
    """
    if _is_of(given, "pandas"):
        return _pandas_rows(given)
    if _is_of(given, "polars"):
        return _polars_rows(given)
    if hasattr(given, "__arrow_c_stream__") or hasattr(given, "__arrow_c_array__"):
        return _arrow_rows(given)
    if isinstance(given, Mapping) and given and all(_is_column(column) for column in given.values()):
        return _column_rows(given)
    return None


def _is_of(given: Any, library: str) -> bool:
    """Whether it is a table of that library, which has been imported if so."""
    loaded = sys.modules.get(library)
    kinds = [getattr(loaded, name, None) for name in ("DataFrame", "Series", "LazyFrame")]
    return loaded is not None and isinstance(given, tuple(kind for kind in kinds if isinstance(kind, type)))


def _pandas_rows(given: Any) -> Iterator[Mapping[str, Any]]:
    frame = given.to_frame("text") if given.ndim == 1 else given
    if frame.index.names != [None]:
        frame = frame.reset_index()
    names = _distinct(frame.columns)
    for start in range(0, len(frame), BATCH_ROWS):
        batch = frame.iloc[start : start + BATCH_ROWS]
        missing = batch.isna().to_numpy()
        for values, absent in zip(batch.itertuples(index=False, name=None), missing, strict=True):
            yield {n: None if gone else v for n, v, gone in zip(names, values, absent, strict=True)}


def _polars_rows(given: Any) -> Iterator[Mapping[str, Any]]:
    frame = given.collect() if hasattr(given, "collect") else given
    if not hasattr(frame, "iter_rows"):  # a series
        frame = frame.alias("text").to_frame()
    rows: Iterator[Mapping[str, Any]] = frame.iter_rows(named=True, buffer_size=BATCH_ROWS)
    return rows


def _arrow_rows(given: Any) -> Iterator[Mapping[str, Any]]:
    pyarrow = _imported("pyarrow")
    if pyarrow is None:
        polars = _imported("polars")
        if polars is None:
            raise UsageError(
                f"reading a table of type {type(given).__name__} needs pyarrow, which is not installed",
                hint="pip install pyarrow; or give its rows as mappings",
            )
        return _polars_rows(polars.DataFrame(given))
    return _arrow_batches(pyarrow, given)


def _arrow_batches(pyarrow: Any, given: Any) -> Iterator[Mapping[str, Any]]:
    try:
        batches = pyarrow.RecordBatchReader.from_stream(given) if _streams(given) else [pyarrow.record_batch(given)]
    except (pyarrow.ArrowInvalid, TypeError):  # no columns: an array, or a stream of arrays
        column = pyarrow.chunked_array(given) if _streams(given) else pyarrow.array(given)
        batches = pyarrow.table({"text": column}).to_batches()
    return _batch_rows(batches)


def _streams(given: Any) -> bool:
    return hasattr(given, "__arrow_c_stream__")


def _batch_rows(batches: Any) -> Iterator[Mapping[str, Any]]:
    first = 0
    for batch in batches:
        columns = arrow_columns(batch.schema.names)
        for start in range(0, batch.num_rows, BATCH_ROWS):
            part = batch.slice(start, BATCH_ROWS)
            try:
                rows = list(arrow_rows(part, columns))
            except (ValueError, OverflowError) as error:
                last = first + part.num_rows - 1
                raise UsageError(
                    f"documents {first:,} to {last:,}: a value cannot be read ({first_line(error)})"
                ) from None
            yield from rows
            first += part.num_rows


def _imported(library: str) -> Any:
    try:
        return import_module(library)
    except ImportError:
        return None


def _is_column(column: Any) -> bool:
    if isinstance(column, str | bytes | Mapping) or hasattr(column, "column_names"):  # the last is a table itself
        return False
    return isinstance(column, Sequence) or (hasattr(column, "__len__") and hasattr(column, "__getitem__"))


def _column_rows(columns: Mapping[Any, Any]) -> Iterator[Mapping[str, Any]]:
    names = _distinct(columns)
    lengths = {name: len(column) for name, column in zip(names, columns.values(), strict=True)}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name!r} {length:,}" for name, length in lengths.items())
        raise UsageError(f"columns have different lengths: {shown}")
    return (dict(zip(names, cells, strict=True)) for cells in zip(*columns.values(), strict=True))


def _distinct(columns: Any) -> list[str]:
    names = [str(name) for name in columns]
    check_distinct(names)
    return names
