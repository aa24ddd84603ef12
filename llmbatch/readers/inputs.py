"""What is read: files, the documents of a folder, and standard input, each an `Input`."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from llmbatch.databases import is_database
from llmbatch.readers.formats import QUERY_ROWS, Format, format_named, format_of_file
from llmbatch.readers.options import ReaderOptions
from llmbatch.readers.sources import Source, file_part, is_address

STDIN = "-"
SpoolFor = Callable[[str], Path]

_HEAD_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Input:
    """One source of rows, which can be read any number of times; standard input only once.

    `name` is as the user gave it; `path` is None for standard input; `format` is None where it shows only when the
    first bytes come; `size` is in bytes, None where unknown. With `is_folder`, `path` is a folder or a pattern, and
    each of its files is a document, in `format` or in that of its name. While standard input is read, its bytes are
    copied to `spool`; `head` are those that were taken from it already.
    """

    name: str
    path: Path | None
    format: Format | None
    size: int | None
    spool: Path | None = None
    head: bytes = b""
    is_folder: bool = False
    source: Source | None = field(default=None, compare=False, repr=False)
    """What is copied to `path` before it is read."""

    @property
    def label(self) -> str:
        """The name as people and files see it: always valid Unicode, `<stdin>` for standard input."""
        return "<stdin>" if self.name == STDIN else shown(self.name)


@dataclass(frozen=True, slots=True)
class PassedOver:
    """What a folder or a pattern has that is no input, by kind, with a few examples."""

    name: str
    counts: Mapping[str, int]
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What the user's names stand for, and what was passed over on the way."""

    inputs: tuple[Input, ...]
    passed_over: tuple[PassedOver, ...] = ()


def is_file_name(name: str) -> bool:
    """Whether an input's name is that of a file, a folder or a pattern: not standard input, and no address."""
    return name != STDIN and not is_address(name)


def shown(name: str) -> str:
    """A file's name as valid Unicode."""
    return os.fsencode(name).decode("utf-8", "replace")


def spooled(item: Input, spool: Path) -> Input:
    """Standard input that is copied while it is read, so that `from_spool` can read it again.

    Args:
        item: the input of `-`.
        spool: where the copy goes, private to the user. Until the input has ended it has `.part` behind its name, so
            that `spool` itself exists only when it is whole.
    """
    return replace(item, spool=spool)


def begun(item: Input, least: int) -> Input:
    """Standard input with its first bytes taken from it, at least so many unless it ends before."""
    head = bytearray(item.head)
    while len(head) < least and (more := os.read(0, _HEAD_BYTES)):
        head += more
    return replace(item, head=bytes(head))


def from_spool(spool: Path, options: ReaderOptions) -> Input:
    """The copy that a `spooled` input has left, or will have left by the time that it is read.

    Of a copy that stopped in the middle, the rows that are whole are read; without a copy there are no rows.

    Raises:
        UsageError: `options.input_format` is unknown.
    """
    return Input(name=STDIN, path=spool, format=wanted_format(options), size=None, spool=spool)


def copied(name: str, spool: Path, options: ReaderOptions, source: Source | None = None) -> Input:
    """The copy of what an address gives, as an input.

    Args:
        name: the address without secrets.
        spool: the copy.
        options: how it is read.
        source: what it is made of, where it still has to be.

    Raises:
        UsageError: `options.input_format` is unknown.
    """
    if is_database(name):
        known: Format | None = QUERY_ROWS
    else:
        known = wanted_format(options) or format_of_file(file_part(name))
    return Input(name, spool, known, size=None, spool=spool, source=source)


def part_of(spool: Path) -> Path:
    """Where the copy of standard input grows until it is whole."""
    return spool.with_name(f"{spool.name}.part")


def wanted_format(options: ReaderOptions) -> Format | None:
    """The format that the user asks for, None where it goes by names.

    Raises:
        UsageError: it is unknown.
    """
    return None if options.input_format is None else format_named(options.input_format)
