"""Compressed inputs: detection by their first bytes, and decompression in pieces of bounded size."""

import bz2
import lzma
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from llmbatch.readers.faults import BAD_GZIP, BAD_PACKING, BrokenStream

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_PIECE_BYTES = 256 * 1024
_STEP_BYTES = 1024
"""Compressed bytes per step: damage loses the output of its whole step, so steps are small."""
_XZ_MEMORY = 128 * 1024 * 1024
"""In bytes; `xz -9` needs 65 MiB. Zstandard's own limit is a window of 128 MiB."""

SUFFIXES = (".gz", ".bz2", ".xz", ".zst", ".zip")
MAGIC_BYTES = 6
"""How many first bytes identify every kind of compression."""

Unpack = Callable[[Iterator[bytes]], Iterator[bytes]]


def unpacked_name(name: str) -> str:
    """A file's name without the suffixes of its compressions."""
    while (unpacked := once_unpacked(name)) != name:
        name = unpacked
    return name


def once_unpacked(name: str) -> str:
    """A file's name without the suffix of its outermost compression."""
    return name.rpartition(".")[0] if name.endswith(SUFFIXES) else name


def unpacking_of(head: bytes) -> Unpack | None:
    """The function that decompresses an input with this beginning; None if it is not compressed."""
    return next((partial(_unpacked, one) for one in _PACKINGS if head.startswith(one.magics)), None)


def unpacked_member(method: str, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The only member of a zip archive, compressed with `deflate`, `bzip2` or `zstd`; bytes after it are not read."""
    return _unpacked(_ZIP_METHODS[method], chunks)


class _Member(Protocol):
    """One of the streams that a compressed file consists of, with the interface of the standard decompressors."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Deflated:
    """A member of gzip or zip. Only its decompressor requires the caller to keep the input that it has not used yet."""

    def __init__(self, wbits: int) -> None:
        self._inflater = zlib.decompressobj(wbits)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._inflater.eof

    @property
    def unused_data(self) -> bytes:
        return self._inflater.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        piece = self._inflater.decompress(self._inflater.unconsumed_tail + data, max_length)
        self.needs_input = not self._inflater.unconsumed_tail and len(piece) < max_length
        return piece


@dataclass(frozen=True, slots=True)
class _Packing:
    name: str
    magics: tuple[bytes, ...]
    new_member: Callable[[], _Member]
    error: type[Exception]
    kind: str = BAD_PACKING
    has_one_member: bool = False


def _unpacked(packing: _Packing, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Members, one after the other; zeros after the last one are padding."""
    member = packing.new_member()
    for chunk in chunks:
        for start in range(0, len(chunk), _STEP_BYTES):
            step = chunk[start : start + _STEP_BYTES]
            while step:
                if member.eof:
                    if packing.has_one_member:
                        return
                    step = step.lstrip(b"\0")
                    if not step:
                        break
                    member = packing.new_member()
                yield from _fed(member, step, packing)
                step = member.unused_data
    if not member.eof:
        raise BrokenStream(packing.kind, f"the {packing.name} data ends too early: the rest is missing")


def _fed(member: _Member, step: bytes, packing: _Packing) -> Iterator[bytes]:
    while True:
        try:
            piece = member.decompress(step, _PIECE_BYTES)
        except packing.error as error:
            if "memory" in str(error).lower():
                raise BrokenStream(
                    packing.kind, f"the {packing.name} data needs too much memory to unpack here: unpack it first"
                ) from None
            raise BrokenStream(packing.kind, f"the {packing.name} data is damaged: the rest cannot be read") from None
        if piece:
            yield piece
        if member.eof or member.needs_input:
            return
        step = b""


_PACKINGS = (
    _Packing("gzip", (b"\x1f\x8b",), partial(_Deflated, zlib.MAX_WBITS | 16), zlib.error, BAD_GZIP),
    _Packing(
        "bzip2",
        tuple(b"BZh%d" % level + block for level in range(1, 10) for block in (b"1A", b"\x17r")),
        bz2.BZ2Decompressor,
        OSError,
    ),
    _Packing(
        "xz",
        (b"\xfd7zXZ\x00",),
        partial(lzma.LZMADecompressor, lzma.FORMAT_XZ, memlimit=_XZ_MEMORY),
        lzma.LZMAError,
    ),
    _Packing("zstd", (b"\x28\xb5\x2f\xfd", b"\x50\x2a\x4d\x18"), zstd.ZstdDecompressor, zstd.ZstdError),
)
"""bzip2's level precedes a block, or the end of an empty file. The second one of zstd is that of a skippable frame,
with which `pzstd` begins its files (RFC 8878, 3.1.2)."""
_ZIP_METHODS = {
    "deflate": _Packing("zip", (), partial(_Deflated, -zlib.MAX_WBITS), zlib.error, has_one_member=True),
    "bzip2": _Packing("zip", (), bz2.BZ2Decompressor, OSError, has_one_member=True),
    "zstd": _Packing("zip", (), zstd.ZstdDecompressor, zstd.ZstdError, has_one_member=True),
}
