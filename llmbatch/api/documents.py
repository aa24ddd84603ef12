"""Recognizes what is given as documents: files, texts, mappings, tables. Refuses others before a row is made."""

import errno
import glob
import io
import os
from collections.abc import AsyncIterable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from llmbatch.api.tables import ArrowStream, table_rows
from llmbatch.core.errors import UsageError
from llmbatch.readers import is_file_name

Documents = str | os.PathLike[str] | Iterable[str | Mapping[str, Any] | os.PathLike[str]] | ArrowStream
"""A mapping of columns is also an iterable of names."""

_LONGEST_SHOWN = 60
_ONE_TEXT = "to label one text, give a list: [text]"


@dataclass(frozen=True, slots=True)
class Files:
    """Documents in files, folders and globs, or `-` for standard input."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rows:
    """Documents in memory, or generated one by one, as rows of input."""

    rows: Iterator[Mapping[str, Any]] = field(repr=False)


def documents_of(documents: Any, text_fields: tuple[str, ...] = ()) -> Files | Rows:
    """The kind of documents that the caller gave; only the first item of an iterable is consumed yet.

    Args:
        documents: what the caller gave.
        text_fields: those that the caller names; texts are put into the first.

    Raises:
        UsageError: documents cannot be read from it.
    """
    if isinstance(documents, str | os.PathLike):
        return Files((_file(documents),))
    rows = table_rows(documents)
    if rows is not None:
        return Rows(rows)
    items = _items(documents)
    for first in items:
        items = chain((first,), items)
        if isinstance(first, os.PathLike):
            return Files(tuple(_file(item, number) for number, item in enumerate(items)))
        return Rows(_rows(items, text_fields[0] if text_fields else "text"))
    return Rows(iter(()))


def _file(path: Any, number: int | None = None) -> str:
    if number is not None and not isinstance(path, os.PathLike):
        raise UsageError(f"document {number} is {_kind(path)} among paths", hint="give paths only, or texts only")
    name = os.fsdecode(path)
    if not name or "\0" in name:
        raise UsageError(f"{name!r} is not a path to documents", hint=_ONE_TEXT)
    if _is_missing(name):
        shown = name if len(name) <= _LONGEST_SHOWN else f"{name[:_LONGEST_SHOWN]}..."
        raise UsageError(f"{shown!r}: no such file", hint=f"check the name; {_ONE_TEXT}")
    return name


def _is_missing(name: str) -> bool:
    if not is_file_name(name) or glob.has_magic(name):
        return False
    try:
        Path(name).stat()
    except OSError as error:
        return error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)
    except ValueError:  # a lone surrogate
        return True
    return False


def _items(documents: Any) -> Iterator[Any]:
    if isinstance(documents, bytes | bytearray | memoryview | Mapping | io.IOBase) or hasattr(documents, "columns"):
        raise _refused(documents)
    try:
        return iter(documents)
    except TypeError:
        raise _refused(documents) from None


def _refused(documents: Any) -> UsageError:
    hints = {
        Mapping: "give one document as a list of one: [document]; columns must be lists of one length",
        AsyncIterable: "collect it first: [document async for document in ...]",
        io.IOBase: "give the file's path",
    }
    hint = next((hint for kind, hint in hints.items() if isinstance(documents, kind)), None)
    return UsageError(
        f"documents cannot be {_kind(documents)}", hint=hint or "give a path, a list of texts or mappings, or a table"
    )


def _rows(items: Iterator[Any], text_field: str) -> Iterator[Mapping[str, Any]]:
    for number, item in enumerate(items):
        if isinstance(item, str):
            yield {"id": number, text_field: str(item)}
        elif isinstance(item, Mapping):
            yield item
        else:
            raise UsageError(
                f"document {number} is {_kind(item)}: give a text or a mapping",
                hint=None if not isinstance(item, os.PathLike) else "give paths only, or texts only",
            )


def _kind(value: Any) -> str:
    return "None" if value is None else f"of type {type(value).__name__}"
