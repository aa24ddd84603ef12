"""Parquet and Arrow: tables with typed columns, read in batches. A row's position is its number, from 1."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from llmbatch.core.errors import UsageError
from llmbatch.core.extras import extra
from llmbatch.readers.arrow_rows import BATCH_ROWS, arrow_columns, arrow_rows
from llmbatch.readers.faults import BAD_TABLE, RAW_EXCERPT_BYTES, TORN, BrokenStream, first_line
from llmbatch.readers.formats.format import Content, Parsed, Records, Unread, typed_record
from llmbatch.readers.options import ReaderOptions
from llmbatch.readers.seekable import seekable

_BATCH_BYTES = 8 * 1024 * 1024
_ARROW_FILE = b"ARROW1"
_MAGICS = (b"PAR1", _ARROW_FILE, b"\xff\xff\xff\xff")

_DAMAGE = (ValueError, OSError, NotImplementedError, LookupError, TypeError, MemoryError)
"""What pyarrow raises if bytes are invalid; the last one if sizes are damaged."""

Source = Path | BinaryIO


@dataclass(frozen=True, slots=True)
class _Table:
    """An open table. Each batch has the number of its first row; what cannot be read is an `Unread`."""

    names: list[str]
    types: list[Any]
    batches: Iterator[tuple[int, Any] | Unread]


@dataclass(frozen=True, slots=True)
class _Columnar:
    name: str
    suffixes: tuple[str, ...]
    open: Callable[[Source], _Table]
    is_text = False
    is_typed = True

    def read(self, content: Content, options: ReaderOptions) -> Records:
        try:
            table = self._opened(content)
        except BrokenStream as broken:
            whole = () if broken.kind == TORN else (Unread(1, b"", broken.kind, broken.message),)
            return Records(iter(whole), names=())
        columns = arrow_columns(table.names, content.file)
        return Records(_records(table, columns, content, options), names=tuple(columns.values()))

    def count(self, content: Content, options: ReaderOptions) -> int:  # noqa: ARG002 - no option changes it
        """Count without making rows. Columns are still decoded, since only that shows which parts are damaged."""
        try:
            batches = self._opened(content).batches
        except BrokenStream as broken:
            return int(broken.kind != TORN)
        return sum(1 if isinstance(found, Unread) else found[1].num_rows for found in batches)

    def types(self, file: str, path: Path) -> Mapping[str, Any]:
        """pyarrow's types of a file's columns by name; none for a compressed file.

        Raises:
            UsageError: it cannot be read.
        """
        with path.open("rb") as opened:
            if not opened.read(len(_ARROW_FILE)).startswith(_MAGICS):
                return {}
        table = self._opened(Content(file, iter(()), path))
        return dict(zip(table.names, table.types, strict=True))

    def _opened(self, content: Content) -> _Table:
        source = seekable(None, content.chunks) if content.path is None else content.path
        with extra("tables", needed_by=f"reading {content.file}"):
            try:
                return self.open(source)
            except _DAMAGE as error:
                raise UsageError(
                    f"{content.file}: cannot be read as {self.name} ({first_line(error)})",
                    hint="the file may be incomplete; if it is in another format, use --input-format",
                ) from None


def _open_parquet(source: Source) -> _Table:
    from pyarrow import parquet  # noqa: PLC0415 - comes with an extra

    file = parquet.ParquetFile(source, buffer_size=1024 * 1024, pre_buffer=False)
    return _Table(file.schema_arrow.names, file.schema_arrow.types, _row_groups(file))


def _row_groups(file: Any) -> Iterator[tuple[int, Any] | Unread]:
    first = 1
    for number in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(number)
        rows, at = group.num_rows, first
        per_row = group.total_byte_size // max(rows, 1)
        size = max(1, min(BATCH_ROWS, _BATCH_BYTES // max(per_row, 1)))
        try:
            for batch in file.iter_batches(size, row_groups=[number], use_threads=False):
                yield at, batch
                at += batch.num_rows
        except _DAMAGE as error:
            lost = f"row group {number} is damaged: rows {at:,} to {first + rows - 1:,} cannot be read"
            yield Unread(at, b"", BAD_TABLE, f"{lost} ({first_line(error)})")
        first += rows


def _open_arrow(source: Source) -> _Table:
    import pyarrow as pa  # noqa: PLC0415 - comes with an extra

    file = pa.OSFile(str(source)) if isinstance(source, Path) else pa.PythonFile(source, mode="r")
    is_file = file.read(len(_ARROW_FILE)) == _ARROW_FILE
    file.seek(0)
    if not is_file:
        stream = pa.ipc.open_stream(file)
        return _Table(stream.schema.names, stream.schema.types, _record_batches(iter(stream)))
    reader = pa.ipc.open_file(file)
    return _Table(
        reader.schema.names,
        reader.schema.types,
        _record_batches(map(reader.get_batch, range(reader.num_record_batches))),
    )


def _record_batches(batches: Iterator[Any]) -> Iterator[tuple[int, Any] | Unread]:
    first = 1
    try:
        for batch in batches:
            batch.validate(full=True)  # offsets outside the data would crash the process
            for start in range(0, batch.num_rows, BATCH_ROWS):
                part = batch.slice(start, BATCH_ROWS)
                yield first, part
                first += part.num_rows
    except _DAMAGE as error:
        yield Unread(first, b"", BAD_TABLE, f"damaged from here on: the rest cannot be read ({first_line(error)})")


PARQUET = _Columnar("parquet", (".parquet", ".pq"), _open_parquet)
ARROW = _Columnar("arrow", (".arrow", ".arrows", ".feather", ".ipc"), _open_arrow)


def _records(
    table: _Table, columns: Mapping[int, str], content: Content, options: ReaderOptions
) -> Iterator[Parsed | Unread]:
    for found in table.batches:
        if isinstance(found, Unread):
            yield found
            continue
        first, batch = found
        try:
            rows = list(arrow_rows(batch, columns))
        except (ValueError, OverflowError):  # it may concern a single row: the others are read
            for at in range(batch.num_rows):
                yield _one_row(first + at, batch.slice(at, 1), columns, options)
            continue
        for number, fields in enumerate(rows, first):
            yield typed_record(number, fields, options)
    for _ in content.chunks:
        pass  # the file was read in another order; reading the bytes in order detects changes


def _one_row(number: int, batch: Any, columns: Mapping[int, str], options: ReaderOptions) -> Parsed | Unread:
    try:
        (fields,) = arrow_rows(batch, columns)
    except UnicodeDecodeError as bad:
        return Unread(number, bad.object[:RAW_EXCERPT_BYTES], "bad_encoding", "has a string that is not UTF-8")
    except (ValueError, OverflowError) as bad:
        return Unread(number, b"", BAD_TABLE, f"has a value that cannot be read ({first_line(bad)})")
    return typed_record(number, fields, options)
