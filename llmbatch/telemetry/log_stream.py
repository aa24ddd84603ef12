"""A log file to append to. Log rotation may rename it: the next line goes to a new file of the same name."""

import io
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from llmbatch.core.errors import UsageError
from llmbatch.core.files import open_file

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND


def open_log(path: Path) -> TextIO:
    """Open a log file to append to. If it is created here, only its owner can read it.

    Raises:
        UsageError: a link, a device or another user's file has that name.
        OSError: the system refuses it.
    """
    return io.TextIOWrapper(io.BufferedWriter(_NamedFile(path.absolute())), "utf-8", "backslashreplace")


class _NamedFile(io.FileIO):
    """Follows its name. If the name is lost and cannot be created again, lines are still written to the old file."""

    def __init__(self, path: Path) -> None:
        super().__init__(open_file(path, _FLAGS), "a")
        self._path = path

    def write(self, data: "ReadableBuffer", /) -> int:
        if not self._has_its_name():
            with suppress(OSError, UsageError):
                new = open_file(self._path, _FLAGS)
                os.dup2(new, self.fileno(), inheritable=False)
                os.close(new)
        return super().write(data)

    def _has_its_name(self) -> bool:
        try:
            return os.path.samestat(self._path.lstat(), os.fstat(self.fileno()))
        except OSError:
            return False
