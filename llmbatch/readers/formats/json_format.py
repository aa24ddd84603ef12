"""JSON: one object per line, an array of objects, or objects in succession, whatever the file is called."""

from collections.abc import Iterator

import orjson

from llmbatch.readers.faults import TORN, BadRow, Fault
from llmbatch.readers.formats.format import Content, Parsed, Records, Unread
from llmbatch.readers.formats.json_documents import json_values
from llmbatch.readers.formats.json_shape import Shape, detected_shape
from llmbatch.readers.formats.json_values import is_exact, parse_object
from llmbatch.readers.lines import line_blocks
from llmbatch.readers.options import ReaderOptions

_BLANK = b" \t\r"


class _Json:
    name = "json"
    suffixes = (".jsonl", ".ndjson", ".json", ".geojson")
    is_text = True
    is_typed = True

    def read(self, content: Content, options: ReaderOptions) -> Records:
        shape, chunks = detected_shape(content.file, content.chunks, options.text_fields)
        if shape.has_lines:
            return Records(_objects(chunks, options))
        values = (_parsed(item) for item in json_values(chunks, options.max_row_bytes, shape.path))
        return Records(values, findings=_findings(shape))

    def count(self, content: Content, options: ReaderOptions) -> int:
        """Count rows without parsing them."""
        shape, chunks = detected_shape(content.file, content.chunks, options.text_fields)
        if shape.has_lines:
            return sum(1 for block in line_blocks(chunks, options.max_row_bytes) for line in block if _is_row(line))
        return sum(1 for _ in json_values(chunks, options.max_row_bytes, shape.path))


class _QueryRows:
    """The copy of a query's rows: one object per line, even if the objects contain lists."""

    name = "query"
    suffixes = ()
    is_text = False  # others must not convert it: it is UTF-8, except rows that are not
    is_typed = True

    def read(self, content: Content, options: ReaderOptions) -> Records:
        return Records(_objects(content.chunks, options))

    def count(self, content: Content, options: ReaderOptions) -> int:
        return sum(1 for block in line_blocks(content.chunks, options.max_row_bytes) for line in block if _is_row(line))


JSON = _Json()
QUERY_ROWS = _QueryRows()


def _findings(shape: Shape) -> tuple[str, ...]:
    return (f"one object, its rows from the list {'.'.join(shape.path)!r}",) if shape.path else ()


def _objects(chunks: Iterator[bytes], options: ReaderOptions) -> Iterator[Parsed | Unread]:
    """The objects of lines, one per line."""
    number = 0
    for block in line_blocks(chunks, options.max_row_bytes):
        for line in block:
            number += 1
            if not _is_row(line):
                continue
            if isinstance(line, Fault):
                yield Unread(number, line.raw, line.kind, line.message)
                continue
            raw = line.removesuffix(b"\r")
            try:
                value = orjson.loads(raw)
            except orjson.JSONDecodeError:
                value = None
            if isinstance(value, dict) and is_exact(raw, value):
                yield number, raw, value, ()  # the usual case, kept fast: a million rows may have to be skipped
                continue
            yield _parsed((number, raw))


def _parsed(item: tuple[int, bytes] | Unread) -> Parsed | Unread:
    if isinstance(item, Unread):
        return item
    line, raw = item
    try:
        return line, raw, *parse_object(raw)
    except BadRow as bad:
        return Unread(line, raw, bad.kind, bad.message)


def _is_row(line: bytes | Fault) -> bool:
    return bool(line.strip(_BLANK)) if isinstance(line, bytes) else line.kind != TORN
