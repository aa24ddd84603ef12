"""Reads one JSON text by RFC 8259, strictly and exactly."""

import json
import re
from collections.abc import Collection
from typing import Any

import orjson

from llmbatch.core.exact_numbers import has_exact_literals, integer, number
from llmbatch.readers.faults import BadRow

SURROGATES_REPLACED = "surrogates_replaced"
"""Flag of a row with halves of characters, which UTF-8 cannot represent: each was replaced by U+FFFD."""

_ESCAPE = re.compile(
    rb"\\(?:u[dD][89aAbB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
"""Has a group if it is half of a character."""
_PLAIN = frozenset((str, int, bool, type(None)))
_MINUS_ZERO = re.compile(rb"-0(?=[\s,\]}]|\Z)")


def parse_json(raw: bytes) -> Any:
    """One JSON text by RFC 8259: UTF-8, no NaN, no lone surrogates; numbers stay exact (see `Number`).

    Numbers beyond what a float can hold (integers of more than 308 digits among them) are refused.

    Raises:
        BadRow: it is not one (a ValueError; its message does not echo the content).
    """
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise _complaint(raw, error) from None
    return value if is_exact(raw, value) else _parse_exactly(raw)


def is_exact(raw: bytes, value: Any) -> bool:
    """Whether all numbers of a text will be written exactly as they are in it; `value` is orjson's result."""
    if type(value) is dict and _PLAIN.issuperset(map(type, value.values())):  # the usual case
        return 0 not in value.values() or not _has_minus_zero(raw) or has_exact_literals(raw)
    try:
        is_plain = _is_plain((value,))
    except RecursionError:
        is_plain = False
    return (is_plain and not _has_minus_zero(raw)) or has_exact_literals(raw)


def _is_plain(values: Collection[Any]) -> bool:
    """Whether there is no float in them: orjson also turns an integer beyond 64 bits into a float."""
    if _PLAIN.issuperset(map(type, values)):
        return True
    for value in values:
        kind = type(value)
        if kind is float:
            return False
        if (kind is dict and not _is_plain(value.values())) or (kind is list and not _is_plain(value)):
            return False
    return True


def parse_object(raw: bytes) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The fields, and the flags for what was done to them.

    Raises:
        BadRow: it is not JSON, or not an object.
    """
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


def _has_minus_zero(raw: bytes) -> bool:
    return b"-0" in raw and _MINUS_ZERO.search(raw) is not None


def _parse_exactly(raw: bytes) -> Any:
    try:
        return json.loads(raw, parse_float=number, parse_int=integer)
    except RecursionError:
        raise BadRow("bad_json", "is nested too deeply") from None


def _complaint(raw: bytes, error: orjson.JSONDecodeError) -> BadRow:
    try:
        raw.decode()
    except UnicodeDecodeError as bad:
        return BadRow("bad_encoding", f"is not UTF-8 at byte {bad.start + 1}")
    where = f"column {error.colno}" if error.lineno == 1 else f"line {error.lineno} of the row, column {error.colno}"
    return BadRow("bad_json", f"is not JSON: {error.msg} at {where}")


def _without_surrogates(raw: bytes) -> Any:
    """The value of `raw` with its lone surrogates replaced; None if something else is wrong with it.

    Programs that cut text by UTF-16 units write them: half an emoji at the end of a preview.
    """
    whole = _ESCAPE.sub(lambda escape: escape[0] if escape[1] is None else rb"\ufffd", raw)
    try:
        return None if whole == raw else parse_json(whole)
    except BadRow:
        return None
