"""The standard streams, so that a run and its exit code do not depend on who reads its output.

- A stream that the caller has closed is opened on /dev/null: the next file that is opened would take its number, and
  be read or written in its place.
- Standard error carries talk. What cannot be written there is dropped.
- Standard output carries what was asked for. Once its reader has gone (`| head`), the rest is dropped; any other
  failure is kept, to be reported when the command has ended.
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
    """A standard stream's file, whose writes never raise. `failure` is the first one that was refused."""

    failure: OSError | None = None

    def __init__(self, number: int, *, keeps_trying: bool) -> None:
        super().__init__(number, "w", closefd=False)
        self._keeps_trying = keeps_trying

    def write(self, data: "ReadableBuffer", /) -> int:
        """Write, waiting for room where the caller made the stream non-blocking, as Node.js does."""
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
    """Open what is closed, and replace `sys.stdout` and `sys.stderr` by streams that never raise.

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
    """Why standard output is not whole; None where it is, or where its reader has gone and wants no more."""
    sys.stdout.flush()
    failure = output.failure
    return None if failure is None or failure.errno in _READER_IS_GONE else failure


def _open_closed() -> None:
    """Standard input is opened to be read, the others to be written; each gets the lowest number that is free."""
    for number, flags in enumerate((os.O_RDONLY, os.O_WRONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, flags)
            os.set_inheritable(number, True)


def _text(file: OutputFile, *, like: TextIO | None) -> io.TextIOWrapper:
    """What a terminal's encoding lacks is escaped: no reason to fail."""
    buffered = io.BufferedWriter(file)
    if not isinstance(like, io.TextIOWrapper):  # it was closed
        return io.TextIOWrapper(buffered, "utf-8", "backslashreplace")
    return io.TextIOWrapper(
        buffered, like.encoding, "backslashreplace", line_buffering=like.line_buffering or like.write_through
    )
