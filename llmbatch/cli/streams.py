"""Makes a run and its exit code independent of what happens to its standard streams.

- A stream that the caller has closed is opened on /dev/null. Otherwise the next file that is opened would get its
  number, and be read or written as that stream.
- Standard error carries messages. What cannot be written there is dropped.
- Standard output carries the requested output. Once its reader has exited (`| head`), the rest is dropped; any other
  failure is kept, and reported when the command has ended.
"""

import errno
import io
import os
import select
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_READER_IS_GONE = frozenset({errno.EPIPE, errno.ECONNRESET, errno.ESHUTDOWN})


class OutputFile(io.FileIO):
    """A standard stream's file whose writes never raise. `failure` is the first error."""

    failure: OSError | None = None

    def __init__(self, number: int, *, keeps_trying: bool) -> None:
        super().__init__(number, "w", closefd=False)
        self._keeps_trying = keeps_trying

    def write(self, data: "ReadableBuffer", /) -> int:
        """Write; if the caller made the stream non-blocking, as Node.js does, wait until there is room."""
        while self._keeps_trying or self.failure is None:
            try:
                written: int | None = super().write(data)
            except OSError as error:
                self.failure = self.failure or error
                break
            if written is not None:
                return written
            select.select([], [self], [])
        return memoryview(data).nbytes


def prepare_streams() -> OutputFile:
    """Open closed streams, and replace `sys.stdout` and `sys.stderr` with streams that never raise.

    Returns:
        The file of standard output; see `output_failure`.
    """
    _open_closed()
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - a standard stream stays open
    output = OutputFile(1, keeps_trying=False)
    sys.stdout = _text(output, like=sys.stdout)
    sys.stderr = _text(OutputFile(2, keeps_trying=True), like=sys.stderr)
    return output


def output_failure(output: OutputFile) -> OSError | None:
    """Why standard output is incomplete; None if it is complete, or if its reader has exited."""
    sys.stdout.flush()
    failure = output.failure
    return None if failure is None or failure.errno in _READER_IS_GONE else failure


def _open_closed() -> None:
    """Open standard input for reading, the others for writing; each gets the lowest free number."""
    for number, flags in enumerate((os.O_RDONLY, os.O_WRONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, flags)
            os.set_inheritable(number, True)


def _text(file: OutputFile, *, like: TextIO | None) -> io.TextIOWrapper:
    """Characters that the terminal's encoding lacks are escaped instead of raising an error."""
    buffered = io.BufferedWriter(file)
    if not isinstance(like, io.TextIOWrapper):  # it was closed
        return io.TextIOWrapper(buffered, "utf-8", "backslashreplace")
    return io.TextIOWrapper(
        buffered, like.encoding, "backslashreplace", line_buffering=like.line_buffering or like.write_through
    )
