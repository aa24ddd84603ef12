"""A database's values as JSON values. Numbers and JSON columns keep the database's own text."""

import json
import math
from datetime import UTC, datetime

from orjson import Fragment


def number(literal: bytes) -> Fragment | str:
    """A number with all its digits; a string if JSON has none (`NaN`, `Infinity`) or it is out of range for floats."""
    return Fragment(literal) if math.isfinite(float(literal)) else literal.decode()


def real(value: float) -> float | str:
    """A float; a string if JSON cannot represent it."""
    return value if math.isfinite(value) else "Infinity" if value > 0 else "-Infinity"


def text(raw: bytes) -> str | Fragment:
    """A string. One that is not UTF-8 keeps its bytes, so that only its row cannot be read."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        escaped = json.dumps(raw.decode("utf-8", "surrogateescape"), ensure_ascii=False)
        return Fragment(escaped.encode("utf-8", "surrogateescape"))


def document(raw: bytes) -> Fragment:
    """A JSON column's value, on one line: line ends in it can only be white space."""
    return Fragment(raw.replace(b"\r", b" ").replace(b"\n", b" "))


def moment(written: str) -> str:
    """A date or time in ISO 8601, with a zone in UTC with `Z`; outside the years 1 to 9999 unchanged."""
    try:
        parsed = datetime.fromisoformat(written)
    except ValueError:
        return written
    if parsed.tzinfo is None:
        return written.replace(" ", "T")
    try:
        return parsed.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except OverflowError:
        return written
