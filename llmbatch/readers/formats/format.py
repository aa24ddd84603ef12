"""The interface of a format: it turns an input's bytes into records, each with its line. One file here per format."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import orjson
from msgspec import Struct

from llmbatch.readers.faults import RAW_EXCERPT_BYTES
from llmbatch.readers.options import ReaderOptions

Parsed = tuple[int, bytes, Mapping[str, Any], tuple[str, ...]]
"""A record: its line, its raw bytes, its fields, and flags for what was done to them."""


class Unread(Struct, frozen=True, gc=False):
    """A record that cannot be read: its line, its raw bytes as far as they are kept, a rejection's kind, and a message.

    `fields` are those that are nevertheless known.
    """

    line: int
    raw: bytes
    kind: str
    message: str
    fields: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """What a format reads: an open, decompressed input; text as UTF-8, without a byte order mark.

    `file` is its name for places; `chunks` raises `BrokenStream` if bytes cannot be read any more; `path` is a file
    with the same bytes, for a format that needs random access: None for a compressed input or a stream.
    """

    file: str
    chunks: Iterator[bytes] = field(repr=False)
    path: Path | None = None
    findings: tuple[str, ...] = ()
    """What has been detected so far, as in `Records`."""
    encoding: str | None = None
    """The original encoding of the text, by Python's name; None if it is not text."""
    is_live: bool = False
    """It may still be being written, so nothing is held back in order to examine more of it."""


@dataclass(frozen=True, slots=True)
class Records:
    """The records of one input, read lazily.

    `names` are the fields if they precede the records (a header, a schema), None if each record has its own;
    `findings` is what was detected and not set by the user, each in a few words (`cells between ';'`).
    """

    items: Iterator[Parsed | Unread] = field(repr=False)
    names: tuple[str, ...] | None = None
    findings: tuple[str, ...] = ()
    written: Mapping[str, str | int | bool] = field(default_factory=dict)
    """How the input is written, by the names of the options that set this."""
    at_end: Callable[[], tuple[str, ...]] = field(default=tuple, repr=False)
    """After all have been read: what was skipped or repaired (`3 empty rows passed over`)."""


def typed_record(number: int, fields: Mapping[str, Any], options: ReaderOptions) -> Parsed | Unread:
    """The record of a format whose rows are not text: as JSON, unless that exceeds the maximum length of a row."""
    raw = orjson.dumps(fields)
    if len(raw) > options.max_row_bytes:
        excerpt = raw[:RAW_EXCERPT_BYTES]
        return Unread(number, excerpt, "too_large", f"is longer than {options.max_row_bytes:,} bytes")
    return number, raw, fields, ()


class Format(Protocol):
    """One format. Its records may be read any number of times, so it keeps no state."""

    @property
    def name(self) -> str:
        """Its name for `--input-format`."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Suffixes of its files, each with its dot, in lower case."""

    @property
    def is_text(self) -> bool:
        """Whether it is text, which `Content` then provides as UTF-8."""

    @property
    def is_typed(self) -> bool:
        """Whether values have types; otherwise every value is a string, and an empty one counts as missing."""

    def read(self, content: Content, options: ReaderOptions) -> Records:
        """The records, lazily.

        Raises:
            UsageError: the input cannot be used at all.
        """

    def count(self, content: Content, options: ReaderOptions) -> int:
        """How many items `read` yields, as cheaply as possible; with the same errors."""
