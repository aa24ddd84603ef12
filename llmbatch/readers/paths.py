"""Paths to fields: `doc.body`, `tags[]`, `messages[0].content`; a field with such a name takes precedence."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

_STEP = re.compile(r"([^.\[\]]+)|\[(\d*)\]")
_IS_PATH = re.compile(r"(?:[^.\[\]]+|\[\d*\])(?:\.[^.\[\]]+|\[\d*\])+")
_DEEPEST = 4


def is_path(name: str) -> bool:
    """Whether a name may lead into a field."""
    return _IS_PATH.fullmatch(name) is not None


def value_at(fields: Mapping[str, Any], name: str) -> Any:
    """The value of a field, or at a path; None if there is none.

    `[]` stands for all elements of a list: the result is then a `Spread` of the values that are not missing or null.
    """
    if name in fields or not is_path(name):
        return fields.get(name)
    return _followed(fields, name)


class Spread(tuple[Any, ...]):
    """The values that a path with `[]` leads to."""

    __slots__ = ()


def is_there(fields: Mapping[str, Any], name: str) -> bool:
    """Whether a row has this field, or a value at this path, even if it is null."""
    return name in fields or (is_path(name) and _followed(fields, name, missing=_MISSING) is not _MISSING)


def paths_of(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """The fields of some rows and the paths into them, in order."""
    return list(dict.fromkeys(path for fields in rows for path in _paths(fields, "", 1)))


_MISSING = object()


def _followed(value: Any, path: str, *, missing: Any = None) -> Any:
    while path:
        if isinstance(value, Mapping) and path in value:
            return value[path]
        step = _STEP.match(path)
        if step is None:
            return missing
        name, index = step.groups()
        path = path[step.end() :].removeprefix(".")
        if name is not None:
            if not isinstance(value, Mapping) or name not in value:
                return missing
            value = value[name]
        elif not isinstance(value, Sequence) or isinstance(value, str):
            return missing
        elif index:
            if int(index) >= len(value):
                return missing
            value = value[int(index)]
        else:
            return _spread(value, path, missing)
    return value


def _spread(values: Sequence[Any], path: str, missing: Any) -> Any:
    found = [_followed(value, path, missing=_MISSING) for value in values]
    there = [value for value in found if value is not _MISSING]
    if values and not there:
        return missing
    flat: list[Any] = []
    for value in there:
        flat.extend(value if isinstance(value, Spread) else (value,))
    return Spread(value for value in flat if value is not None)


def _paths(value: Mapping[str, Any], above: str, depth: int) -> Iterator[str]:
    for name, inner in value.items():
        path = f"{above}{name}"
        yield path
        if depth < _DEEPEST and isinstance(inner, Mapping):
            yield from _paths(inner, f"{path}.", depth + 1)
        elif isinstance(inner, list) and inner:
            if isinstance(inner[0], Mapping) and depth < _DEEPEST:
                yield from _paths(inner[0], f"{path}[].", depth + 1)
            elif isinstance(inner[0], str):
                yield f"{path}[]"
