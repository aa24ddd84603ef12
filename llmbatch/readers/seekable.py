"""A stream in an unnamed temporary file, for formats that need random access."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from llmbatch.core.errors import StorageFailed


def seekable(path: Path | None, chunks: Iterator[bytes]) -> BinaryIO:
    """The file at `path`, otherwise a copy of `chunks` in the temporary folder. The caller closes it.

    Raises:
        StorageFailed: the copy cannot be written.
        OSError: the file cannot be opened.
        BrokenStream: the stream breaks.
    """
    if path is not None:
        return path.open("rb")
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller's
    try:
        for chunk in chunks:
            file.write(chunk)
        file.seek(0)
    except OSError as error:
        raise StorageFailed(f"{tempfile.gettempdir()}: the input cannot be copied there ({error.strerror})") from None
    return file
