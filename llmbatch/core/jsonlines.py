"""JSON lines that stay exact where the fast encoder is not."""

import json
from collections.abc import Iterator
from typing import Any

import orjson

from llmbatch.core.exact_numbers import Number
from llmbatch.core.filenames import readable


def dump_line(data: Any) -> bytes:
    """`data` as one line of UTF-8 JSON, newline included.

    Numbers from input rows are written as they were read, including integers beyond 64 bits. File names that are not
    UTF-8 are written in readable form.
    """
    try:
        return orjson.dumps(data, default=_literal, option=orjson.OPT_APPEND_NEWLINE)
    except orjson.JSONEncodeError:
        return f"{''.join(_parts(data))}\n".encode()


def as_text(value: Any) -> str:
    """A value as text: a string unchanged, anything else as JSON."""
    return value if isinstance(value, str) else dump_line(value).decode().rstrip("\n")


def _literal(value: Any) -> orjson.Fragment:
    if isinstance(value, Number):
        return orjson.Fragment(value.literal)
    raise TypeError(f"{type(value).__name__} is not JSON")


_END = object()


def _parts(data: Any) -> Iterator[str]:
    """Yield the text in pieces, without recursion, so that any depth works.

    `begun` is the stack of open containers, each with its closing bracket.
    """
    begun: list[tuple[Iterator[Any], str]] = []
    value = data
    while True:
        if isinstance(value, dict):
            yield "{"
            begun.append((_members(value), "}"))
        elif isinstance(value, list | tuple):
            yield "["
            begun.append((_elements(value), "]"))
        else:
            yield _scalar(value)
        value = _END
        while value is _END:
            if not begun:
                return
            items, closer = begun[-1]
            lead, value = next(items, (closer, _END))
            yield lead
            if value is _END:
                begun.pop()


def _members(value: dict[Any, Any]) -> Iterator[tuple[str, Any]]:
    for place, (name, member) in enumerate(value.items()):
        yield f"{',' if place else ''}{_scalar(str(name))}:", member


def _elements(value: Any) -> Iterator[tuple[str, Any]]:
    for place, element in enumerate(value):
        yield "," if place else "", element


def _scalar(value: Any) -> str:
    if isinstance(value, Number):
        return value.literal
    return json.dumps(readable(value) if isinstance(value, str) else value, ensure_ascii=False, allow_nan=False)
