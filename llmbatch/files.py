"""Files that are private to their user, and that are there whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO

_PRIVATE = 0o600


def open_private(path: Path) -> BinaryIO:
    """Open a file for writing anew, readable by its user only."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PRIVATE), "wb")


def append_private(path: Path) -> TextIO:
    """Open a text file to append lines to; where it is made, it is readable by its user only."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, _PRIVATE), "a", encoding="utf-8")


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Write a file beside `path` and rename it into place when the block ends without an error.

    A reader sees the old file or the new one, never half of either, also after a power cut: the content is
    synced before the rename.
    """
    beside = path.with_name(f".{path.name}.new")
    try:
        with open_private(beside) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
