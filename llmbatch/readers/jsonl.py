"""JSON Lines: one object a line, read strictly and exactly."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any, Final

import orjson

from llmbatch.errors import UsageError
from llmbatch.readers.faults import TORN, BadRow, Fault
from llmbatch.readers.fields import FieldChoice, RowMaker, choose_by_name, choose_by_row, listed, usable
from llmbatch.readers.lines import line_blocks
from llmbatch.readers.options import ReaderOptions
from llmbatch.rows import Place, Rejection, Row

LOOKED_AT = 100
"""Rows that are held back at most while looking for one with a text field."""

_BLANK = b" \t\r"
_DIGITS_AS_ZEROS = bytes(ord("0") if byte in b"0123456789" else ord(" ") for byte in range(256))
_NINETEEN_DIGITS = b"0" * 19
"""In a row, once digits are zeros: six times as fast to find as with a regular expression."""

SURROGATES_REPLACED = "surrogates_replaced"
"""Flag of a row with halves of characters in it, which no UTF-8 can carry: each has become U+FFFD."""

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")

Parsed = tuple[int, int, bytes, dict[str, Any], tuple[str, ...]]
"""A row's index, line, raw bytes, fields and flags."""
_FIELDS: Final = 3


def read_jsonl(
    chunks: Iterator[bytes],
    file: str,
    options: ReaderOptions,
    indices: Iterator[int],
    on_fields: Callable[[FieldChoice], None],
) -> Iterator[Row | Rejection]:
    """The rows of one JSONL stream.

    Args:
        chunks: the stream's bytes.
        file: its name, for places.
        options: which fields to take.
        indices: gives each row its index.
        on_fields: told which fields are taken, before the first row that has them.

    Raises:
        UsageError: the text field is to be detected, and the first rows have none.
    """
    parsed = parsed_objects(chunks, file, options, indices)
    waiting: list[Parsed | Rejection] = []
    choice: FieldChoice | None = None
    while choice is None and (item := next(parsed, None)) is not None:
        if isinstance(item, Rejection) and not waiting:
            yield item
            continue
        waiting.append(item)
        choice = _choice_at_last(waiting, file, options)
    if waiting:
        choice = choice or _choice_by_name(waiting, file, options)
        on_fields(choice)
        yield from _made(chain(waiting, parsed), RowMaker(file, choice, options))


def count_jsonl(chunks: Iterator[bytes], options: ReaderOptions) -> int:
    """How many rows `read_jsonl` gives, without parsing them."""
    return sum(1 for block in line_blocks(chunks, options.max_row_bytes) for line in block if _is_row(line))


def parsed_objects(
    chunks: Iterator[bytes], file: str, options: ReaderOptions, indices: Iterator[int]
) -> Iterator[Parsed | Rejection]:
    """The objects of a stream, whatever is in them; the arguments are those of `read_jsonl`."""
    number = 0
    for block in line_blocks(chunks, options.max_row_bytes):
        exactly = _may_exceed_64_bits(b"\n".join(line for line in block if isinstance(line, bytes)))
        for line in block:
            number += 1
            if not _is_row(line):
                continue
            index = next(indices)
            if isinstance(line, Fault):
                yield Rejection(index, Place(file, number), line.kind, line.message, line.raw)
                continue
            raw = line.removesuffix(b"\r")
            try:
                value = None if exactly else orjson.loads(raw)
            except orjson.JSONDecodeError:
                value = None
            if isinstance(value, dict):
                yield index, number, raw, value, ()  # as most rows are: a million may have to be passed over
                continue
            try:
                yield index, number, raw, *_parse_object(raw)
            except BadRow as bad:
                yield Rejection(index, Place(file, number), bad.kind, bad.message, raw)


def parse_json(raw: bytes) -> Any:
    """One JSON text as RFC 8259 has it: UTF-8, no NaN, no lone surrogates; integers stay exact.

    Numbers beyond what a float can hold (integers of more than 308 digits among them) are refused.

    Raises:
        BadRow: it is none (a ValueError; its message does not echo the content).
    """
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise _complaint(raw, error) from None
    return _parse_exactly(raw) if _may_exceed_64_bits(raw) else value


def _may_exceed_64_bits(raw: bytes) -> bool:
    """Whether there may be an integer that orjson would make a float of, so that ids would run together."""
    return _NINETEEN_DIGITS in raw.translate(_DIGITS_AS_ZEROS)


def _parse_exactly(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except RecursionError:
        raise BadRow("bad_json", "is nested too deeply") from None


def _complaint(raw: bytes, error: orjson.JSONDecodeError) -> BadRow:
    try:
        raw.decode()
    except UnicodeDecodeError as bad:
        return BadRow("bad_encoding", f"is not UTF-8 at byte {bad.start + 1}")
    return BadRow("bad_json", f"is not JSON: {error.msg} at column {error.colno}")


def _is_row(line: bytes | Fault) -> bool:
    return bool(line.strip(_BLANK)) if isinstance(line, bytes) else line.kind != TORN


def _parse_object(raw: bytes) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The fields, and the flags of what was done to them."""
    flags: tuple[str, ...] = ()
    try:
        value = parse_json(raw)
    except BadRow:
        value = _without_surrogates(raw)
        if value is None:
            raise
        flags = (SURROGATES_REPLACED,)
    if isinstance(value, dict):
        return value, flags
    raise BadRow("not_an_object", "is JSON, but not an object with fields")


def _without_surrogates(raw: bytes) -> Any:
    """What `raw` holds with its lone surrogates replaced, where they are all that is wrong with it; else None.

    Whoever cuts a text by UTF-16 units writes them: half an emoji at the end of a preview.
    """
    if b"\\u" not in raw:
        return None
    try:
        value = json.loads(raw.decode(), parse_constant=_refuse_constant)
        return parse_json(_LONE_SURROGATE.sub("\ufffd", json.dumps(value, ensure_ascii=False)).encode())
    except (ValueError, RecursionError):
        return None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _made(parsed: Iterable[Parsed | Rejection], maker: RowMaker) -> Iterator[Row | Rejection]:
    make = maker.make
    for item in parsed:
        yield item if isinstance(item, Rejection) else make(*item)


def _choice_at_last(waiting: list[Parsed | Rejection], file: str, options: ReaderOptions) -> FieldChoice | None:
    """The choice that the row read last allows, or that must be made now since enough rows wait."""
    last = waiting[-1]
    choice = None if isinstance(last, Rejection) else choose_by_row(file, last[_FIELDS], options)
    if choice is None and len(waiting) >= LOOKED_AT:
        return _choice_by_name(waiting, file, options)
    return choice


def _choice_by_name(waiting: list[Parsed | Rejection], file: str, options: ReaderOptions) -> FieldChoice:
    """The choice by all rows that wait: by fields that hold what they should if there are any, else by names alone."""
    rows = [item[_FIELDS] for item in waiting if not isinstance(item, Rejection)]
    names = list(dict.fromkeys(name for fields in rows for name in fields))
    choice = choose_by_name(
        file, dict.fromkeys(name for fields in rows for name in usable(fields)), options
    ) or choose_by_name(file, names, options)
    if choice is None:
        raise UsageError(
            f"{file}: no field looks like the text; fields are {listed(names)}",
            hint="say which one it is: --text-field NAME",
        )
    return choice
