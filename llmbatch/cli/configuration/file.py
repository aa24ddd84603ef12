"""The configuration file: `llmbatch.toml`, or `[tool.llmbatch]` in `pyproject.toml`, in this folder or above."""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from llmbatch.cli.configuration.trust import is_trusted
from llmbatch.core.errors import UsageError

FILE, PROJECT = "llmbatch.toml", "pyproject.toml"
DEFAULTS, PROFILE, TASK = "defaults", "profile", "task"
"""Its tables; the second and third contain tables by name."""

_MOST_BYTES = 1_000_000


@dataclass(frozen=True)
class ConfigurationFile:
    """A configuration file that was found."""

    path: Path
    content: bytes
    tables: Mapping[str, Any]
    is_own: bool
    """It belongs to the user, and is not writable by everyone."""

    @property
    def folder(self) -> Path:
        """The folder to which paths in it are relative."""
        return self.path.parent

    @property
    def shown(self) -> str:
        """Its name in messages: without the path if it is in the current folder."""
        return self.path.name if self.folder == Path.cwd() else str(self.path)

    @cached_property
    def is_trusted(self) -> bool:
        """Whether the user has trusted its current content: `llmbatch config trust`."""
        return is_trusted(self.path, self.content)

    def place(self, key: str) -> str:
        """The file, and the line of a key if only one line has it."""
        begins = re.compile(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=".encode())
        lines = [number for number, line in enumerate(self.content.splitlines(), 1) if begins.match(line)]
        return f"{self.shown}:{lines[0]}" if len(lines) == 1 else self.shown


def find_configuration() -> ConfigurationFile | None:
    """The nearest configuration file, from the current folder upwards; None if there is none.

    In a folder with both files, `llmbatch.toml` is used.

    Raises:
        UsageError: it cannot be read, or is not valid.
    """
    try:
        here = Path.cwd()
    except FileNotFoundError:  # the folder no longer exists, which the command reports
        return None
    for folder in (here, *here.parents):
        for path in (folder / FILE, folder / PROJECT):
            found = _read(path)
            if found is not None:
                return found
    return None


def named_tables(file: ConfigurationFile) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each table of options, with its name in the file.

    Raises:
        UsageError: there is something else in the file.
    """
    for name, table in file.tables.items():
        if name not in (DEFAULTS, PROFILE, TASK):
            raise UsageError(
                f"{file.place(name)}: {name!r} is not a table of a configuration",
                hint=f"options go in [{DEFAULTS}], [{PROFILE}.NAME] or [{TASK}.NAME]",
            )
        for label, options in [(name, table)] if name == DEFAULTS else _below(file, name, table):
            if not isinstance(options, dict):
                raise UsageError(f"{file.place(label)}: [{label}] is not a table")
            yield label, options


def _below(file: ConfigurationFile, name: str, tables: Any) -> list[tuple[str, Any]]:
    if not isinstance(tables, dict):
        raise UsageError(f"{file.place(name)}: [{name}.NAME] is not a table")
    return [(f"{name}.{below}", table) for below, table in tables.items()]


def _read(path: Path) -> ConfigurationFile | None:
    try:
        content, status = _content(path)
    except (FileNotFoundError, NotADirectoryError):
        if path.name == FILE and path.is_symlink():
            raise UsageError(f"{path} is a link to a file that does not exist") from None
        return None
    except (OSError, ValueError) as error:
        if path.name == PROJECT:  # it may have nothing to do with llmbatch
            return None
        raise UsageError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if path.name == PROJECT and b"llmbatch" not in content:
        return None
    tables = _parsed(path, content)
    if path.name == PROJECT:
        tool = tables.get("tool")
        tables = tool.get("llmbatch") if isinstance(tool, dict) else None
        if tables is None:
            return None
    if not isinstance(tables, dict):
        raise UsageError(f"{path}: [tool.llmbatch] is not a table")
    is_own = status.st_uid in (os.getuid(), 0) and not status.st_mode & stat.S_IWOTH
    return ConfigurationFile(path, content, tables, is_own)


def _content(path: Path) -> tuple[bytes, os.stat_result]:
    """A file's content and its status, which names the owner. Does not wait for a pipe."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("it is not a regular file")
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise ValueError(f"it has more than {_MOST_BYTES:,} bytes")
    return content, status


def _parsed(path: Path, content: bytes) -> Any:
    import tomllib

    try:
        return tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not valid TOML: {error}") from None
