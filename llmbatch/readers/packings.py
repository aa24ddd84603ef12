"""Packed inputs: which packing their first bytes tell, and their bytes unpacked."""

import zlib
from collections.abc import Callable, Iterator

from llmbatch.readers.faults import BAD_GZIP, BrokenStream

_PIECE_BYTES = 256 * 1024
_STEP_BYTES = 1024
"""Bytes unpacked at a time: what a step with damage in it would have given is lost, so steps are small."""

SUFFIXES = (".gz",)
MAGIC_BYTES = 2
"""So many first bytes tell every packing."""


def unpacked_name(name: str) -> str:
    """A file's name without the suffix of its packing."""
    return next((name.removesuffix(suffix) for suffix in SUFFIXES if name.endswith(suffix)), name)


def unpacking_of(head: bytes) -> Callable[[Iterator[bytes]], Iterator[bytes]] | None:
    """What unpacks an input that begins so; None where it is not packed."""
    return next((unpack for magic, unpack in _BY_MAGIC.items() if head.startswith(magic)), None)


def _gunzipped(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Gzip members, one after the other; zeros behind the last are padding."""
    member = _Member()
    for chunk in chunks:
        for start in range(0, len(chunk), _STEP_BYTES):
            step = chunk[start : start + _STEP_BYTES]
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
                piece = self._inflater.decompress(step, _PIECE_BYTES)
            except zlib.error:
                raise BrokenStream(BAD_GZIP, "the gzip data is damaged: what follows cannot be read") from None
            if piece:
                yield piece
            step = self._inflater.unconsumed_tail
            if not step and len(piece) < _PIECE_BYTES:
                return


_BY_MAGIC = {b"\x1f\x8b": _gunzipped}
