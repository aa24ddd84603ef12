"""Values of options from Python and from configuration files, checked against the options' declarations."""

import math
import os
from collections.abc import Iterable, Mapping
from enum import Enum
from numbers import Real
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar, get_args, get_origin

from llmbatch.cli.options.option import Option, OptionGroup, declared_in
from llmbatch.core.errors import UsageError
from llmbatch.core.shares import share_of

_Group = TypeVar("_Group", bound=OptionGroup)


def checked_group(group: type[_Group], given: Mapping[str, Any]) -> _Group:
    """A group with the given options, checked and converted, and with defaults for the others.

    Raises:
        UsageError: a value has the wrong type or is out of its limits.
    """
    declared = declared_in(group)
    return group(
        **{
            name: checked_value(name, value, declared[name].type, declared[name].option)
            for name, value in given.items()
            if name in declared
        }
    )


def checked_path(name: str, value: Any) -> Path:
    """A path given by Python code.

    Raises:
        UsageError: it cannot be a path.
    """
    try:
        text = os.fsdecode(value)
    except TypeError:
        raise UsageError(f"{name}: expected a path, not {type(value).__name__}") from None
    if not text or "\0" in text:
        raise UsageError(f"{name}={text!r}: not a path")
    return Path(text)


def checked_texts(name: str, value: Any) -> tuple[str, ...]:
    """One string, or several.

    Raises:
        UsageError: it is neither.
    """
    if isinstance(value, str):
        return (_text(name, value),)
    if isinstance(value, bytes | Mapping) or not isinstance(value, Iterable):
        raise UsageError(f"{name}: expected a string or a list of strings, not {type(value).__name__}")
    return tuple(_text(name, one) for one in value)


def checked_value(name: str, value: Any, declared: Any, option: Option) -> Any:
    """A value, converted to the type that its option declares.

    Args:
        name: the option's, for messages.
        value: the given value; never None.
        declared: the option's type.
        option: its limits.

    Raises:
        UsageError: it has the wrong type or is out of its limits.
    """
    kind = next((part for part in get_args(declared) if part is not NoneType), declared)
    if get_origin(declared) is list or get_origin(kind) is list:
        return list(checked_texts(name, value))
    if kind is bool:
        if not isinstance(value, bool):
            raise UsageError(f"{name}={value!r}: expected True or False")
        return value
    if kind in (int, float):
        return _number(name, value, kind, option)
    if kind is Path:
        return checked_path(name, value)
    if issubclass(kind, Enum):
        return _choice(name, value, kind)
    return _text(name, value)


def _number(name: str, value: Any, kind: type[int] | type[float], option: Option) -> int | float:
    plain = share_of(value) if option.is_share and isinstance(value, str) and "%" in value else value
    number: Any = math.nan if isinstance(plain, bool) or not isinstance(plain, Real) else plain
    if not math.isfinite(number) or (kind is int and number % 1):
        raise UsageError(f"{name}={value!r}: a {'whole' if kind is int else 'finite'} number is required")
    if option.min is not None and number < option.min:
        raise UsageError(f"{name}={value!r}: the minimum is {option.min:g}")
    if option.max is not None and number > option.max:
        raise UsageError(f"{name}={value!r}: the maximum is {option.max:g}")
    return kind(number)


def _choice(name: str, value: Any, kind: type[Enum]) -> Enum:
    try:
        return kind(value)
    except ValueError:
        choices = ", ".join(repr(member.value) for member in kind)
        raise UsageError(f"{name}={value!r}: must be one of {choices}") from None


def _text(name: str, value: Any) -> str:
    """A string; a number or a path is written as on the command line."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number and not isinstance(value, str | os.PathLike):
        raise UsageError(f"{name}: expected a string, not {_kind(value)}")
    text = os.fspath(value) if isinstance(value, os.PathLike) else str(value)
    if not isinstance(text, str) or "\0" in text:
        raise UsageError(f"{name}={text!r}: not a usable text")
    return text


def _kind(value: Any) -> str:
    """A value's type, or what is wrong with a number: a table's missing values are NaN."""
    return repr(value) if isinstance(value, float) else type(value).__name__
