"""One JSON text as RFC 8259 has it, read strictly and exactly."""

import json
import re
from typing import Any

import orjson

from llmbatch.readers.faults import BadRow

SURROGATES_REPLACED = "surrogates_replaced"
"""Flag of a row with halves of characters in it, which no UTF-8 can carry: each has become U+FFFD."""

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_DIGITS_AS_ZEROS = bytes(ord("0") if byte in b"0123456789" else ord(" ") for byte in range(256))
_NINETEEN_DIGITS = b"0" * 19
"""In a row, once digits are zeros: six times as fast to find as with a regular expression."""


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
    return _parse_exactly(raw) if may_exceed_64_bits(raw) else value


def may_exceed_64_bits(raw: bytes) -> bool:
    """Whether there may be an integer that orjson would make a float of, so that ids would run together."""
    return _NINETEEN_DIGITS in raw.translate(_DIGITS_AS_ZEROS)


def parse_object(raw: bytes) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The fields, and the flags of what was done to them.

    Raises:
        BadRow: it is no JSON, or no object.
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
    where = f"column {error.colno}" if error.lineno == 1 else f"line {error.lineno} of the row, column {error.colno}"
    return BadRow("bad_json", f"is not JSON: {error.msg} at {where}")


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
