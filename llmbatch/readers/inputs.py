"""The inputs of a run: files, the documents of a folder, and standard input, each an `Input`."""

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

    `name` is as the user gave it; `path` is None for standard input; `format` is None if only the first bytes show it;
    `size` is in bytes, None if unknown. With `is_folder`, `path` is a folder or a pattern, and each of its files is a
    document, in `format` or in the format of its name. While standard input is read, its bytes are copied to `spool`;
    `head` contains those that were already taken from it.
    """

    name: str
    path: Path | None
    format: Format | None
    size: int | None
    spool: Path | None = None
    head: bytes = b""
    is_folder: bool = False
    source: Source | None = field(default=None, compare=False, repr=False)
    """The source that is copied to `path` before it is read."""

    @property
    def label(self) -> str:
        """The name for people and files: always valid Unicode, `<stdin>` for standard input."""
        return "<stdin>" if self.name == STDIN else shown(self.name)


@dataclass(frozen=True, slots=True)
class PassedOver:
    """The files of a folder or a pattern that are not inputs, by kind, with a few examples."""

    name: str
    counts: Mapping[str, int]
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """The inputs that the user's names stand for, and what was ignored."""

    inputs: tuple[Input, ...]
    passed_over: tuple[PassedOver, ...] = ()


def is_file_name(name: str) -> bool:
    """Whether an input's name is that of a file, a folder or a pattern: not standard input, and not an address."""
    return name != STDIN and not is_address(name)


def shown(name: str) -> str:
    """A file's name as valid Unicode."""
    return os.fsencode(name).decode("utf-8", "replace")


def spooled(item: Input, spool: Path) -> Input:
    """Standard input that is copied while it is read, so that `from_spool` can read it again.

    Args:
        item: the input of `-`.
        spool: the copy, private to the user. Until the input has ended, `.part` is appended to its name, so that
            `spool` itself exists only when it is complete.
    """
    return replace(item, spool=spool)


def begun(item: Input, least: int) -> Input:
    """Standard input with its first bytes taken from it, at least `least` unless it ends before."""
    head = bytearray(item.head)
    while len(head) < least and (more := os.read(0, _HEAD_BYTES)):
        head += more
    return replace(item, head=bytes(head))


def from_spool(spool: Path, options: ReaderOptions) -> Input:
    """The copy that a `spooled` input has left, or will have left when it is read.

    From a copy that ends in the middle, complete rows are read; without a copy there are no rows.

    Raises:
        UsageError: `options.input_format` is unknown.
    """
    return Input(name=STDIN, path=spool, format=wanted_format(options), size=None, spool=spool)


def copied(name: str, spool: Path, options: ReaderOptions, source: Source | None = None) -> Input:
    """The copy of an address's data, as an input.

    Args:
        name: the address without secrets.
        spool: the copy.
        options: how it is read.
        source: what to copy, if that has not been done.

    Raises:
        UsageError: `options.input_format` is unknown.
    """
    if is_database(name):
        known: Format | None = QUERY_ROWS
    else:
        known = wanted_format(options) or format_of_file(file_part(name))
    return Input(name, spool, known, size=None, spool=spool, source=source)


def part_of(spool: Path) -> Path:
    """The file of the copy of standard input until it is complete."""
    return spool.with_name(f"{spool.name}.part")


def wanted_format(options: ReaderOptions) -> Format | None:
    """The format that the user sets, None if names decide.

    Raises:
        UsageError: it is unknown.
    """
    return None if options.input_format is None else format_named(options.input_format)
