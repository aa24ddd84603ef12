"""Finds and reads task files, giving a `Task`, or an error that says what to fix and where."""

import hashlib
import re
import stat
import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from pydantic import ValidationError

from llmbatch.core.errors import UsageError
from llmbatch.task.mistakes import first_mistake
from llmbatch.task.model import Example, Task

DEFAULT_TASK = "default"
BUILT_IN = "built-in default"
"""The source name of the default task."""

_SUFFIX = ".toml"
_VERSION_DIGITS = 12
_BYTE_ORDER_MARKS = {
    b"\xef\xbb\xbf": "UTF-8 with a byte order mark",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
_TOML_PLACE = re.compile(r"\s*\(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$")


@dataclass(frozen=True, slots=True)
class LoadedTask:
    """A task and its source.

    `source` is the path or name as given, or `built-in default`. `version` is the first 12 hex digits of the
    SHA-256 of the file's bytes.
    """

    task: Task
    source: str
    version: str
    decided: tuple[Example, ...] | None = ()
    """Human decisions to choose examples from, besides the pool; None if unknown."""


def load_task(path_or_name: str | Path | None) -> LoadedTask:
    """Read a task file.

    Args:
        path_or_name: a file, or if there is no such file, the name of a packaged task; None for the default task.

    Raises:
        UsageError: there is no such file or task, or the file is not a valid task.
    """
    source = BUILT_IN if path_or_name is None else str(path_or_name)
    content = _packaged(DEFAULT_TASK).read_bytes() if path_or_name is None else _read(source)
    task = parse_task(_decoded(content, source), source)
    return LoadedTask(task, source, hashlib.sha256(content).hexdigest()[:_VERSION_DIGITS])


def parse_task(text: str, source: str) -> Task:
    """Parse a task from TOML text.

    Args:
        text: the file's content.
        source: what to call the file in an error.

    Raises:
        UsageError: not TOML, or not a valid task; names the line if known.
    """
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # includes integers and nesting beyond Python's limits
        raise _syntax_error(error, source) from None
    try:
        return Task.model_validate(data)
    except ValidationError as error:
        raise first_mistake(error, data=data, text=text, source=source) from None


def packaged_tasks() -> tuple[str, ...]:
    """The names of the packaged tasks, sorted."""
    names = (file.name for file in _prompts().iterdir())
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX)))


def _read(source: str) -> bytes:
    path = Path(source)
    _check_is_file(path, source)
    try:
        if not path.is_file() and source in packaged_tasks():
            return _packaged(source).read_bytes()
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise _not_found(source) from None
    except IsADirectoryError:
        raise UsageError(f"{source} is a folder, not a task file") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"the task file {source!r} cannot be read: {error}") from None


def _check_is_file(path: Path, source: str) -> None:
    """Reject what could be read forever: a device, or a pipe without a writer. `<(command)` is in /dev/fd.

    Raises:
        UsageError: the task file is neither a regular file nor such a pipe.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return  # reading it will report why
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or (stat.S_ISFIFO(mode) and path.parent == Path("/dev/fd"))):
        raise UsageError(f"{source} is a pipe or a device, not a task file")


def _not_found(source: str) -> UsageError:
    tasks = packaged_tasks()
    close = get_close_matches(Path(source).name.removesuffix(_SUFFIX), tasks, n=1)
    meant = f"Did you mean the packaged task {close[0]}? " if close else ""
    return UsageError(
        f"no task file {source}",
        hint=f"{meant}Packaged tasks: {', '.join(tasks)}. To start your own: llmbatch prompt init",
    )


def _packaged(name: str) -> Traversable:
    return _prompts() / f"{name}{_SUFFIX}"


def _prompts() -> Traversable:
    """The packaged task files: inside an installed package, next to the package in a checkout."""
    installed = files("llmbatch") / "prompts"
    return installed if installed.is_dir() else Path(__file__).resolve().parents[2] / "prompts"


def _decoded(content: bytes, source: str) -> str:
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if content.startswith(mark):
            raise UsageError(f"{source} is {encoding}; TOML must be plain UTF-8", hint="Save it as UTF-8 without BOM.")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{source}:{line}: not UTF-8 (byte 0x{content[error.start]:02x})") from None


def _syntax_error(error: Exception, source: str) -> UsageError:
    if isinstance(error, RecursionError):
        return UsageError(f"{source}: not valid TOML: nested too deeply")
    what = str(error)
    place = _TOML_PLACE.search(what)
    if place is None:
        return UsageError(f"{source}: not valid TOML: {what}")
    what = what[: place.start()]
    if place["line"] is None:
        return UsageError(f"{source}: not valid TOML: {what} at the end of the file")
    hint = 'Text needs quotes, as in name = "no".' if what == "Invalid value" else None
    return UsageError(f"{source}:{place['line']}: not valid TOML: {what}, at column {place['column']}", hint=hint)
