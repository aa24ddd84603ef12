"""The workspace of a call: documents in memory become an input file in a run folder, under that folder's lock."""

import atexit
import json
import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path, PurePath
from typing import Any

import orjson

from llmbatch.api.documents import Files, Rows
from llmbatch.cli.refusals import refusals_as_errors
from llmbatch.core.errors import UsageError
from llmbatch.core.files import replacing
from llmbatch.runs.folder import RunFolder
from llmbatch.runs.ledger.lock import locked

_INPUT = "input.jsonl"
_BEFORE = ".input.jsonl.before"
_CHECK_EVERY = 1_000


@dataclass(frozen=True, slots=True)
class Workspace:
    """The inputs and the run folder; `out` is None if the session chooses the folder."""

    inputs: tuple[str, ...]
    out: Path | None
    is_locked: bool
    is_temporary: bool


@contextmanager
def workspace(documents: Files | Rows, out: Path | None, *, check: Callable[[], None]) -> Iterator[Workspace]:
    """The folder of a call, with the input in it; locked if documents are in memory.

    Nothing is written before the lock is held. If the block ends with a UsageError, an earlier input is restored. A
    temporary folder outlives the block only if it contains answers, and is removed at the end of the process.

    Args:
        documents: the documents.
        out: the run folder that the caller named.
        check: called from time to time while documents are written; raises to end this.

    Raises:
        UsageError: a document cannot be used, or the folder cannot be created.
        FolderBusy: another run works on the folder.
    """
    if isinstance(documents, Files):
        yield Workspace(documents.names, out, is_locked=False, is_temporary=False)
        return
    with ExitStack() as opened:
        with refusals_as_errors():
            folder = opened.enter_context(_folder(out))
            opened.enter_context(folder.created())
            opened.enter_context(locked(folder.path))
        path = opened.enter_context(_written(documents, folder.path, check))
        yield Workspace((str(path),), folder.path, is_locked=True, is_temporary=out is None)


def removed_with(owner: object, folder: Path) -> "weakref.finalize[[Path, int], object]":
    """Remove a temporary folder together with its owner, or at the latest at the end of the process."""
    return weakref.finalize(owner, _remove, folder, os.getpid())


@contextmanager
def _folder(out: Path | None) -> Iterator[RunFolder]:
    if out is not None:
        yield RunFolder(out)
        return
    folder = RunFolder(Path(tempfile.mkdtemp(prefix="llmbatch-")))
    try:
        yield folder
    except BaseException:
        if folder.ledger.exists() and folder.ledger.stat().st_size:
            atexit.register(_remove, folder.path, os.getpid())
        else:
            _remove(folder.path, os.getpid())
        raise


def _remove(folder: Path, process: int) -> None:
    """Remove a folder, unless this is a fork of the process that created it."""
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _written(documents: Rows, folder: Path, check: Callable[[], None]) -> Iterator[Path]:
    path, before = folder / _INPUT, folder / _BEFORE
    with replacing(path) as file:
        number = -1
        for number, row in enumerate(documents.rows):
            if number % _CHECK_EVERY == 0:
                check()
            file.write(json_line(row, f"document {number}"))
        if number < 0:
            raise UsageError("there are no documents", hint="give at least one")
        before.unlink(missing_ok=True)
        if path.exists():
            os.link(path, before)
    try:
        yield path
    except UsageError:
        if before.exists():
            before.replace(path)
        raise
    finally:
        before.unlink(missing_ok=True)


def json_line(row: Mapping[Any, Any], name: str) -> bytes:
    """A row as a line of JSON; `name` identifies it in errors.

    Raises:
        UsageError: it contains a value that JSON cannot represent.
    """
    try:
        return orjson.dumps(dict(row), default=_plain, option=orjson.OPT_APPEND_NEWLINE)
    except (TypeError, ValueError) as error:
        problem = error
    try:
        # Lone surrogates are written as escapes, since UTF-8 cannot represent them: the reader replaces and flags them.
        # Whole numbers may have any size.
        if all(isinstance(name, str) for name in row):
            return json.dumps(dict(row), default=_plain, allow_nan=False).encode() + b"\n"
    except (TypeError, ValueError, RecursionError):
        pass
    raise UsageError(f"{name} cannot be written as JSON: {problem}")


def _plain(value: Any) -> Any:
    """Values of NumPy, pandas, Arrow and the standard library as JSON values."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Decimal | timedelta | PurePath):
        return str(value)
    for method in ("isoformat", "tolist", "item"):
        if hasattr(value, method):
            return getattr(value, method)()
    raise TypeError(f"{type(value).__name__} is not JSON")
