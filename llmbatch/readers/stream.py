"""An input's bytes, in chunks: opened, copied where wanted, unpacked, without a byte order mark."""

import os
import select
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from llmbatch.errors import StorageFailed, UsageError
from llmbatch.files import open_private, open_to_read, sync_folder
from llmbatch.readers.faults import BAD_GZIP, TORN, UNREADABLE, BrokenStream
from llmbatch.readers.identity import ByteWatch
from llmbatch.readers.inputs import Input, part_of

_CHUNK_BYTES = 256 * 1024
_SNIFF_BYTES = 64 * 1024
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_STEP_BYTES = 1024
"""Bytes unpacked at a time: what a step with damage in it would have given is lost, so steps are small."""
_UTF8_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Stream:
    """An open input. `chunks` raises `BrokenStream` where bytes cannot be read any more."""

    format: str
    chunks: Iterator[bytes]


def open_stream(item: Input, watch: ByteWatch | None = None) -> Stream:
    """Open an input and find out what its first bytes tell: gzip, byte order mark, and the format where it is open.

    Args:
        item: the input.
        watch: is shown its bytes as they are read.

    Raises:
        UsageError: it cannot be opened, or it is UTF-16.
        StorageFailed: the copy of standard input cannot be written.
    """
    magic, packed = _peeked(_read(item, watch), lambda head: len(head) >= len(_GZIP_MAGIC))
    unpacked = _unpacked(packed) if magic.startswith(_GZIP_MAGIC) else packed
    head, chunks = _peeked(unpacked, _tells_enough if item.format is None else _tells_encoding)
    if head.startswith(_UTF16_BOMS):
        raise UsageError(
            f"{item.label}: is UTF-16; inputs are read as UTF-8", hint="convert it: iconv -f UTF-16 -t UTF-8"
        )
    if head.startswith(_UTF8_BOM):
        next(chunks)
        head = head.removeprefix(_UTF8_BOM)
        chunks = chain((head,), chunks)
    return Stream(item.format or _sniffed_format(head), chunks)


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
    """Unbuffered, so that what a slow writer has put into a pipe is had at once."""
    try:
        if item.path is None:
            return stack.enter_context(os.fdopen(os.dup(0), "rb", buffering=0))
        if item.path == item.spool:
            return stack.enter_context(_opened_copy(item.path))
        return stack.enter_context(item.path.open("rb", buffering=0))
    except OSError as error:
        raise UsageError(f"{item.label}: cannot be read ({error.strerror})") from None


def _opened_copy(spool: Path) -> BinaryIO:
    """The copy of standard input as far as it got; an empty file where there is none."""
    for path in (spool, part_of(spool)):
        with suppress(FileNotFoundError):
            return open_to_read(path)
    return Path(os.devnull).open("rb")


def _read_chunk(file: BinaryIO) -> bytes:
    """The next bytes, none at the end. A pipe that its owner made non-blocking is waited for."""
    try:
        while True:
            try:
                return os.read(file.fileno(), _CHUNK_BYTES)
            except BlockingIOError:
                select.select([file], [], [])
    except OSError as error:
        raise BrokenStream(UNREADABLE, f"cannot be read any further ({error.strerror})") from None


class _Copy:
    """The copy of a stream that comes only once; renamed into place when it is whole."""

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
        """The earlier copy stays until the first bytes of this one are there: they may be refused."""
        if self._begun is None:
            self._spool.unlink(missing_ok=True)
            self._begun = self._stack.enter_context(open_private(self._part))
        return self._begun

    def _failed(self, error: OSError) -> StorageFailed:
        return StorageFailed(f"{self._part}: the copy of standard input cannot be written ({error.strerror})")


def _peeked(chunks: Iterator[bytes], enough: Callable[[bytes], bool]) -> tuple[bytes, Iterator[bytes]]:
    """The first bytes, and the whole stream with them in its first chunk; a break in them comes after them."""
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


def _tells_encoding(head: bytes) -> bool:
    return len(head) >= len(_UTF8_BOM)


def _tells_enough(head: bytes) -> bool:
    return b"\n" in head.lstrip() or len(head) >= _SNIFF_BYTES


def _sniffed_format(head: bytes) -> str:
    start = head.lstrip()
    if not start or start.startswith((b"{", b"[")):
        return "jsonl"
    return "tsv" if b"\t" in start.partition(b"\n")[0] else "csv"


def _unpacked(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Gzip members, one after the other; zeros behind the last are padding."""
    member = _Member()
    for chunk in chunks:
        for start in range(0, len(chunk), _GZIP_STEP_BYTES):
            step = chunk[start : start + _GZIP_STEP_BYTES]
            while step:
                if member.is_over:
                    step = step.lstrip(b"\0")
                    if not step:
                        break
                    member = _Member()
                yield from member.feed(step)
                step = member.left_over
    if not member.is_over:
        raise BrokenStream(BAD_GZIP, "the gzip data ends too early: what follows is missing")


class _Member:
    """One gzip member, unpacked in pieces of bounded size, however well it was packed."""

    def __init__(self) -> None:
        self._inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)

    @property
    def is_over(self) -> bool:
        return self._inflater.eof

    @property
    def left_over(self) -> bytes:
        return self._inflater.unused_data

    def feed(self, step: bytes) -> Iterator[bytes]:
        while True:
            try:
                piece = self._inflater.decompress(step, _CHUNK_BYTES)
            except zlib.error:
                raise BrokenStream(BAD_GZIP, "the gzip data is damaged: what follows cannot be read") from None
            if piece:
                yield piece
            step = self._inflater.unconsumed_tail
            if not step and len(piece) < _CHUNK_BYTES:
                return
