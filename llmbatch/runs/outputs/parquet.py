"""Results as Parquet: a column has the type that it has in the input, otherwise the type that all its values share.

Types are known only when all records are known, so records wait in an unnamed file, and memory stays flat.
"""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import time
from decimal import Decimal
from itertools import islice
from typing import Any, BinaryIO

from llmbatch.core.exact_numbers import Number, integer, number
from llmbatch.core.extras import extra
from llmbatch.core.jsonlines import as_text, dump_line

_BATCH_ROWS = 10_000
_INT64 = 2**63
_EXACT_INTEGER = 2**53
"""Whole numbers below it are exact as 64-bit floats."""
_CATEGORY = "category"


class ParquetFormat:
    """Parquet files, compressed with zstd."""

    suffix = "parquet"
    has_columns = True
    is_typed = True

    def __init__(self, types: Mapping[str, Any] | None = None) -> None:
        """`types`: pyarrow's types of the input's columns, if known."""
        self._types = types or {}

    def writer(self, file: BinaryIO, columns: Sequence[str]) -> "ParquetWriter":
        """See `OutputFormat`.

        Raises:
            UsageError: pyarrow is not installed.
        """
        with extra("tables", needed_by="--format parquet"):
            import pyarrow.parquet  # noqa: F401, PLC0415 - only to see that it is there
        return ParquetWriter(file, columns, self._types)


class ParquetWriter:
    """Keeps records until all have arrived, then writes them."""

    def __init__(self, file: BinaryIO, columns: Sequence[str], types: Mapping[str, Any]) -> None:
        self._file = file
        self._kinds: dict[str, _Kinds] = {name: _Kinds() for name in columns}
        self._types = types
        self._kept = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the writer

    def write(self, record: Mapping[str, Any]) -> None:
        """Add a record."""
        self._kept.write(dump_line(record))
        for name, kinds in self._kinds.items():
            kinds.add(record.get(name))

    def close(self) -> None:
        """Write the table. If a value does not fit the input's type, the type of the values is used."""
        types = {name: self._types[name] for name in self._kinds if _comes_back(self._types.get(name))}
        with self._kept:
            while (misfit := self._written(types)) is not None:
                del types[misfit]

    def _written(self, types: Mapping[str, Any]) -> str | None:
        """Write all batches. If the values of a column do not fit its type, returns that column and writes nothing."""
        import pyarrow as pa  # noqa: PLC0415 - comes with an extra
        from pyarrow import parquet  # noqa: PLC0415

        columns = {name: _Column(pa, name, kinds, types.get(name)) for name, kinds in self._kinds.items()}
        schema = pa.schema([(name, column.type) for name, column in columns.items()])
        self._file.seek(0)
        self._file.truncate()
        with parquet.ParquetWriter(self._file, schema, compression="zstd") as writer:
            for records in self._batches():
                arrays = []
                for name, column in columns.items():
                    try:
                        arrays.append(column.array([record.get(name) for record in records]))
                    except (pa.ArrowException, ValueError, TypeError, ArithmeticError, OverflowError):
                        if name not in types:
                            raise
                        return name
                writer.write_table(pa.table(arrays, schema=schema))
        return None

    def _batches(self) -> Iterator[list[dict[str, Any]]]:
        self._kept.seek(0)
        while lines := list(islice(self._kept, _BATCH_ROWS)):
            yield [json.loads(line, parse_float=number, parse_int=integer) for line in lines]


class _Kinds:
    """The kinds of values that a column has."""

    def __init__(self) -> None:
        self._found: set[str] = set()

    def add(self, value: Any) -> None:
        """Add a value."""
        match value:
            case None:
                return
            case bool():
                kind = "bool"
            case int():
                kind = "int" if abs(value) < _EXACT_INTEGER else "long" if -_INT64 <= value < _INT64 else "text"
            case Number():
                kind = "float" if value.keeps_digits else "text"
            case float():
                kind = "float"
            case str():
                kind = "str"
            case list() if all(isinstance(one, str) for one in value):
                kind = "list"
            case _:
                kind = "text"
        self._found.add(kind)

    def type(self, pa: Any) -> Any:
        """The type that fits all of them, None if only text does."""
        for kinds, kind in (
            ({"bool"}, pa.bool_()),
            ({"int", "long"}, pa.int64()),
            ({"int", "float"}, pa.float64()),
            ({"str"}, pa.string()),
            ({"list"}, pa.list_(pa.string())),
        ):
            if self._found <= kinds:
                return pa.string() if not self._found else kind
        return None


class _Column:
    """Converts a column's values to an array."""

    def __init__(self, pa: Any, name: str, kinds: _Kinds, wanted: Any) -> None:
        own = kinds.type(pa)
        self.type = wanted if wanted is not None else own if own is not None else pa.string()
        self._pa = pa
        self._is_text = wanted is None and own is None
        if wanted is None and name == _CATEGORY and own == pa.string():
            self.type = pa.dictionary(pa.int32(), pa.string())

    def array(self, values: list[Any]) -> Any:
        """The values as an array of its type.

        Raises:
            pyarrow.ArrowException, ValueError, TypeError, ArithmeticError: a value does not fit this type.
        """
        if self._is_text:
            return self._pa.array([None if value is None else as_text(value) for value in values], self._pa.string())
        return _array(self._pa, self.type, values)


def _array(pa: Any, kind: Any, values: list[Any]) -> Any:
    """An array of a type from the form that its values have in results."""
    types = pa.types
    if types.is_dictionary(kind):
        return _array(pa, kind.value_type, values).dictionary_encode().cast(kind)
    if types.is_date(kind) or types.is_timestamp(kind):
        texts = pa.array(values, pa.string())
        is_zoned = types.is_timestamp(kind) and kind.tz
        return (texts.cast(pa.timestamp(kind.unit, "UTC")) if is_zoned else texts).cast(kind)
    if types.is_time(kind):
        values = [None if value is None else time.fromisoformat(value) for value in values]
    elif types.is_floating(kind):
        values = [None if value is None else float(value) for value in values]
    elif types.is_decimal(kind):
        values = [None if value is None else Decimal(value) for value in values]
    return pa.array(values, kind)


def _comes_back(kind: Any) -> bool:
    """Whether values of a type can be restored from the form that they have in results.

    This is not possible for durations, bytes, lists and structs, nor for times in nanoseconds, which Python lacks.
    """
    if kind is None:
        return False
    from pyarrow import types  # noqa: PLC0415 - comes with an extra

    if types.is_dictionary(kind):
        return _comes_back(kind.value_type)
    if types.is_time(kind):
        return bool(kind.unit != "ns")
    kinds = (
        *(types.is_timestamp, types.is_date, types.is_boolean, types.is_integer, types.is_floating, types.is_decimal),
        *(types.is_string, types.is_large_string),
    )
    return any(is_kind(kind) for is_kind in kinds)
