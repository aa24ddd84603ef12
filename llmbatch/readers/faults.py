"""What can be wrong with one row, and with the stream that rows come from."""

from dataclasses import dataclass, field

from llmbatch.core.errors import UsageError

RAW_EXCERPT_BYTES = 1024
"""How much is kept of a row that is too large, or cut off by damage."""

BAD_GZIP = "bad_gzip"
BAD_PACKING = "bad_packing"
"""Of any other packing; gzip has a kind of its own because it was there first."""
BAD_TABLE = "bad_table"
"""A part of a Parquet or Arrow file, or a value in it."""
UNREADABLE = "unreadable"
TORN = "torn"
"""Not a row's fault: a copy of standard input that stopped in the middle. What is cut off there is not reported."""


class NotOpenedError(UsageError):
    """An input cannot be opened."""


class DoubtfulEncodingError(UsageError):
    """What an input's text is encoded in is not known."""


class BadRow(ValueError):  # noqa: N818 - one row is bad, nothing failed
    """This row cannot be read; the rows behind it can. `kind` is a rejection's kind, `raw` what is kept of the row."""

    def __init__(self, kind: str, message: str, raw: bytes = b"") -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.raw = raw


class BrokenStream(Exception):  # noqa: N818 - a state of the stream, reported as a rejection and never shown as an error
    """No byte can be read from here on: damaged packed data or an I/O error."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


@dataclass(frozen=True, slots=True)
class Fault:
    """Stands in for a line that could not be had. `raw` is its beginning."""

    kind: str
    message: str
    raw: bytes = field(repr=False)

    @property
    def ends_stream(self) -> bool:
        """Whether nothing comes behind it."""
        return self.kind in {BAD_GZIP, BAD_PACKING, UNREADABLE, TORN}


def first_line(error: BaseException) -> str:
    """What a library's error says, in one line."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
