"""Records as they stand in a file: for files that hold no documents, as gold labels."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from llmbatch.readers.faults import TORN, BadRow, BrokenStream
from llmbatch.readers.inputs import Input
from llmbatch.readers.jsonl import parsed_objects
from llmbatch.readers.options import ReaderOptions
from llmbatch.readers.separated import Table
from llmbatch.readers.stream import open_stream
from llmbatch.rows import Place, Rejection


@dataclass(frozen=True, slots=True)
class Record:
    """One object, or one line of cells; `typed` tells that its values have JSON types, since cells are all strings."""

    index: int
    place: Place
    fields: Mapping[str, Any] = field(repr=False)
    typed: bool


def read_records(item: Input, options: ReaderOptions) -> Iterator[Record | Rejection]:
    """The records of one input, lazily, with the same care as documents are read.

    Raises:
        UsageError: it cannot be opened, or its header cannot be used.
    """
    stream = open_stream(item)
    if stream.format != "jsonl":
        yield from _separated(stream.chunks, item.label, stream.format, options)
        return
    for parsed in parsed_objects(stream.chunks, item.label, options, count()):
        if isinstance(parsed, Rejection):
            yield parsed
        else:
            index, line, _, fields, _ = parsed
            yield Record(index, Place(item.label, line), fields, typed=True)


def _separated(
    chunks: Iterator[bytes], file: str, file_format: str, options: ReaderOptions
) -> Iterator[Record | Rejection]:
    table = Table(chunks, file_format, options.max_row_bytes)
    try:
        header = table.header(file)
    except BrokenStream as broken:
        if broken.kind != TORN:
            yield Rejection(0, Place(file, 1), broken.kind, broken.message, b"")
        return
    for index, (line, raw, cells) in enumerate(table.records(len(header)) if header else ()):
        if isinstance(cells, BadRow):
            yield Rejection(index, Place(file, line), cells.kind, cells.message, raw)
        else:
            yield Record(index, Place(file, line), dict(zip(header, cells, strict=True)), typed=False)
