"""An input's bytes, in chunks: opened, copied if necessary, decompressed, text as UTF-8 with lines that end in LF."""

import os
import re
import select
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from llmbatch.core.errors import StorageFailed, UsageError
from llmbatch.core.files import open_private, open_to_read, sync_folder
from llmbatch.readers.encodings import LONGEST_BOM, utf8_text
from llmbatch.readers.faults import TORN, UNREADABLE, BrokenStream, NotOpenedError
from llmbatch.readers.formats import MAGIC_BYTES as FORMAT_MAGIC_BYTES
from llmbatch.readers.formats import Content, Format, binary_format_of_head, format_of_file, format_of_head
from llmbatch.readers.identity import ByteWatch
from llmbatch.readers.inputs import STDIN, Input, part_of
from llmbatch.readers.options import ReaderOptions
from llmbatch.readers.packings import MAGIC_BYTES, once_unpacked, unpacking_of
from llmbatch.readers.zipped import SUFFIX as ZIP
from llmbatch.readers.zipped import is_zip, unzipped

_CHUNK_BYTES = 256 * 1024
_SNIFF_BYTES = 64 * 1024
_TELLING_BYTES = max(LONGEST_BOM, FORMAT_MAGIC_BYTES)
_MOST_PACKINGS = 3
_LINES_END_IN_CR = re.compile(rb'[^"\r\n]*(?:"[^"]*"[^"\r\n]*)*\r(?!\r*(?:\n|\Z))')
"""The line end of a first line that has no other: outside quotes, and followed by something."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An open input, in the format that it is read in."""

    format: Format
    content: Content


def open_input(item: Input, options: ReaderOptions, watch: ByteWatch | None = None) -> Opened:
    """Open an input and detect from its first bytes: compression, encoding, line ends, and the format if it is open.

    Args:
        item: the input.
        options: how it is read.
        watch: receives its bytes as they are read.

    Raises:
        NotOpenedError: it cannot be opened.
        DoubtfulEncodingError: its encoding cannot be detected.
        StorageFailed: the copy of standard input cannot be written.
    """
    path = None if item.name == STDIN else item.path  # its copy may still be in the `.part` file
    named, path, chunks = _unpacked(item, path, _read(item, watch))
    head, chunks = _peeked(chunks, lambda head: len(head) >= _TELLING_BYTES)
    by_head = named or binary_format_of_head(head)
    if by_head is not None and not by_head.is_text:
        return Opened(by_head, Content(item.label, chunks, path))
    text = utf8_text(item.label, head, chunks, options, may_be_refused=named is not None and not named.is_typed)
    head, chunks = _peeked(text.chunks, _tells_enough)
    findings: tuple[str, ...] = () if text.finding is None else (text.finding,)
    if _LINES_END_IN_CR.match(head):
        chunks = (chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n") for chunk in chunks)
        findings += ("lines end in CR",)
    content = Content(item.label, chunks, path, findings, text.encoding, is_live=item.path is None)
    return Opened(named or format_of_head(head), content)


def _unpacked(
    item: Input, path: Path | None, chunks: Iterator[bytes]
) -> tuple[Format | None, Path | None, Iterator[bytes]]:
    """The format by names, the file with the bytes (None if they were compressed), and the decompressed bytes.

    Raises:
        UsageError: a zip archive cannot be used, or there are too many layers of compression, as in zip bombs.
    """
    named, name = item.format, item.name.lower()
    for _ in range(_MOST_PACKINGS + 1):
        magic, chunks = _peeked(chunks, lambda head: len(head) >= MAGIC_BYTES)
        if is_zip(magic) and (named is None or named.is_text or name.endswith(ZIP)):
            try:
                member, chunks = unzipped(item.label, chunks, path)
            except BrokenStream as broken:
                return named, None, _broken_after(b"", broken)
            named = named or format_of_file(member)
        elif unpack := unpacking_of(magic):
            chunks = unpack(chunks)
        else:
            return named, path, chunks
        path, name = None, once_unpacked(name)
    raise UsageError(f"{item.label}: compressed more than {_MOST_PACKINGS} times over", hint="unpack it first")


def _read(item: Input, watch: ByteWatch | None) -> Iterator[bytes]:
    with ExitStack() as stack:
        file = _open(item, stack)
        copy = _Copy(item.spool, stack) if item.path is None and item.spool is not None else None
        for chunk in chain((item.head,) if item.head else (), iter(lambda: _read_chunk(file), b"")):
            if watch is not None:
                watch.read(item, chunk)
            if copy is not None:
                copy.write(chunk)
            yield chunk
        if watch is not None:
            watch.ended(item, os.fstat(file.fileno()))
        if copy is not None:
            copy.finish()
    if item.path is not None and item.path == item.spool and not item.path.exists():
        raise BrokenStream(TORN, "the copy of standard input stopped here")


def _open(item: Input, stack: ExitStack) -> BinaryIO:
    """Open it unbuffered, so that data from a slow writer to a pipe is available immediately."""
    try:
        if item.path is None:
            return stack.enter_context(os.fdopen(os.dup(0), "rb", buffering=0))
        if item.path == item.spool:
            return stack.enter_context(_opened_copy(item.path))
        return stack.enter_context(item.path.open("rb", buffering=0))
    except OSError as error:
        raise NotOpenedError(f"{item.label}: cannot be read ({error.strerror})") from None


def _opened_copy(spool: Path) -> BinaryIO:
    """The copy of standard input as far as it exists; an empty file if there is none."""
    for path in (spool, part_of(spool)):
        with suppress(FileNotFoundError):
            return open_to_read(path)
    return Path(os.devnull).open("rb")


def _read_chunk(file: BinaryIO) -> bytes:
    """The next bytes, empty at the end. Waits even if the owner made the pipe non-blocking."""
    try:
        while True:
            try:
                return os.read(file.fileno(), _CHUNK_BYTES)
            except BlockingIOError:
                select.select([file], [], [])
    except OSError as error:
        raise BrokenStream(UNREADABLE, f"cannot be read any further ({error.strerror})") from None


class _Copy:
    """The copy of a stream that can be read only once; renamed into place when it is complete."""

    def __init__(self, spool: Path, stack: ExitStack) -> None:
        self._spool = spool
        self._part = part_of(spool)
        self._stack = stack
        self._begun: BinaryIO | None = None

    def write(self, chunk: bytes) -> None:
        try:
            file = self._file()
            file.write(chunk)
            file.flush()
        except OSError as error:
            raise self._failed(error) from None

    def finish(self) -> None:
        try:
            os.fsync(self._file().fileno())
            self._part.replace(self._spool)
            sync_folder(self._spool.parent)
        except OSError as error:
            raise self._failed(error) from None

    def _file(self) -> BinaryIO:
        """Keep the earlier copy until the first bytes of this one have arrived: they may be refused."""
        if self._begun is None:
            self._spool.unlink(missing_ok=True)
            self._begun = self._stack.enter_context(open_private(self._part))
        return self._begun

    def _failed(self, error: OSError) -> StorageFailed:
        return StorageFailed(f"{self._part}: the copy of standard input cannot be written ({error.strerror})")


def _peeked(chunks: Iterator[bytes], enough: Callable[[bytes], bool]) -> tuple[bytes, Iterator[bytes]]:
    """The first bytes, and the whole stream with them in its first chunk; an error within them comes after them."""
    head = b""
    try:
        for chunk in chunks:
            head += chunk
            if enough(head):
                break
    except BrokenStream as broken:
        return head, _broken_after(head, broken)
    return head, chain((head,), chunks)


def _broken_after(head: bytes, broken: BrokenStream) -> Iterator[bytes]:
    yield head
    raise broken


def _tells_enough(head: bytes) -> bool:
    return b"\n" in head.lstrip() or len(head) >= _SNIFF_BYTES
