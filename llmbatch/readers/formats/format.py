"""What a format is: an input's bytes become records, each with its line. One file here is one format."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import orjson
from msgspec import Struct

from llmbatch.readers.faults import RAW_EXCERPT_BYTES
from llmbatch.readers.options import ReaderOptions

Parsed = tuple[int, bytes, Mapping[str, Any], tuple[str, ...]]
"""A record: its line, its raw bytes, its fields, and flags of what was done to them."""


class Unread(Struct, frozen=True, gc=False):
    """A record that cannot be read: its line, its raw bytes as far as kept, a rejection's kind, and a message.

    `fields` are those that are known of it all the same.
    """

    line: int
    raw: bytes
    kind: str
    message: str
    fields: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """What a format reads: an input that is open and unpacked; text as UTF-8, without a byte order mark.

    `file` is its name for places; `chunks` raises `BrokenStream` where bytes cannot be read any more; `path` is where
    the same bytes lie on this disk, for a format that has to jump about in them: None for a packed input or a stream.
    """

    file: str
    chunks: Iterator[bytes] = field(repr=False)
    path: Path | None = None
    findings: tuple[str, ...] = ()
    """What was detected of it so far, as `Records` has it."""
    encoding: str | None = None
    """Of the text before it was UTF-8, by Python's name; None where it is no text."""
    is_live: bool = False
    """Someone may still be writing it: nothing is held back to look at more of it."""


@dataclass(frozen=True, slots=True)
class Records:
    """The records of one input, read as they are taken.

    `names` are the fields where they stand before the records (a header, a schema), None where each record has its
    own; `findings` is what was detected and not said by the user, each in a few words (`cells between ';'`).
    """

    items: Iterator[Parsed | Unread] = field(repr=False)
    names: tuple[str, ...] | None = None
    findings: tuple[str, ...] = ()
    written: Mapping[str, str | int | bool] = field(default_factory=dict)
    """How the input is written, by the names of the options that say it."""
    at_end: Callable[[], tuple[str, ...]] = field(default=tuple, repr=False)
    """Once they are all taken: what was passed over or put right on the way (`3 empty rows passed over`)."""


def typed_record(number: int, fields: Mapping[str, Any], options: ReaderOptions) -> Parsed | Unread:
    """The record of a format whose rows are no text: as JSON, unless that is longer than a row may be."""
    raw = orjson.dumps(fields)
    if len(raw) > options.max_row_bytes:
        excerpt = raw[:RAW_EXCERPT_BYTES]
        return Unread(number, excerpt, "too_large", f"is longer than {options.max_row_bytes:,} bytes")
    return number, raw, fields, ()


class Format(Protocol):
    """One format. Its records are read any number of times, so it keeps nothing of a reading."""

    @property
    def name(self) -> str:
        """As `--input-format` says it."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Of files in it, each with its point, in lower case."""

    @property
    def is_text(self) -> bool:
        """Whether it is text, of which `Content` then holds UTF-8."""

    @property
    def is_typed(self) -> bool:
        """Whether values have types; else every value is a string, and an empty one means that there is none."""

    def read(self, content: Content, options: ReaderOptions) -> Records:
        """The records, lazily.

        Raises:
            UsageError: the input cannot be used at all.
        """

    def count(self, content: Content, options: ReaderOptions) -> int:
        """How many items `read` gives, as cheaply as can be; its errors are the same."""
