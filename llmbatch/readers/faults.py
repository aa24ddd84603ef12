"""What can be wrong with a row, and with the stream that rows come from."""

from dataclasses import dataclass, field

from llmbatch.core.errors import UsageError

RAW_EXCERPT_BYTES = 1024
"""How much is kept of a row that is too large or damaged."""

BAD_GZIP = "bad_gzip"
BAD_PACKING = "bad_packing"
"""For any other compression; gzip has a kind of its own because it was supported first."""
BAD_TABLE = "bad_table"
"""A part of a Parquet or Arrow file, or a value in it."""
UNREADABLE = "unreadable"
TORN = "torn"
"""Not an error in a row: a copy of standard input that ends in the middle. The cut-off rest is not reported."""


class NotOpenedError(UsageError):
    """An input cannot be opened."""


class DoubtfulEncodingError(UsageError):
    """The encoding of an input's text is not known."""


class BadRow(ValueError):  # noqa: N818 - one row is bad, nothing failed
    """This row cannot be read; the rows after it can. `kind` is a rejection's kind, `raw` what is kept of the row."""

    def __init__(self, kind: str, message: str, raw: bytes = b"") -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.raw = raw


class BrokenStream(Exception):  # noqa: N818 - a state of the stream, reported as a rejection and never shown as an error
    """No byte can be read from here on: damaged compressed data or an I/O error."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


@dataclass(frozen=True, slots=True)
class Fault:
    """Takes the place of a line that could not be read. `raw` is its beginning."""

    kind: str
    message: str
    raw: bytes = field(repr=False)

    @property
    def ends_stream(self) -> bool:
        """Whether nothing follows it."""
        return self.kind in {BAD_GZIP, BAD_PACKING, UNREADABLE, TORN}


def first_line(error: BaseException) -> str:
    """The message of a library's error, in one line."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
