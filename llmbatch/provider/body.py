"""An answer's body: unpacked, and no larger than it may be. A server gone wrong must not fill the memory.

Answers of a few hundred bytes gain nothing from compression, so requests ask for none. A server or proxy that packs
all the same is understood where it uses gzip or deflate, which can be unpacked in steps.
"""

import zlib

from llmbatch.provider.completion import NotACompletionError

LARGEST_ANSWER = 1 << 20
"""Bytes. A label takes some hundred, an error page some thousand."""
UNPACKED = {"Accept-Encoding": "identity"}
"""The header that asks for answers as they are."""

_WINDOW_BITS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
_NOT_READ = frozenset({"br", "zstd", "compress", "x-compress", "dcb", "dcz"})
"""Compressions that cannot be unpacked here. All other names are none: servers say `utf-8` or `none` there."""
_GZIP, _FIRST_ERROR = b"\x1f\x8b", 300


class BodyReader:
    """Takes a body's chunks as they come from the wire."""

    def __init__(self, unpacker: "_Unpacker | None") -> None:
        self._unpacker = unpacker
        self._room = LARGEST_ANSWER

    def read(self, chunk: bytes) -> bytes:
        """What the next chunk holds.

        Raises:
            NotACompletionError: more has come than an answer can be, or than can be unpacked.
        """
        content = chunk if self._unpacker is None else self._unpacker.unpack(chunk, self._room + 1)
        self._room -= len(content)
        if self._room < 0:
            raise NotACompletionError(f"a body of more than {LARGEST_ANSWER:,} bytes")
        return content


def body_reader(content_encoding: str, status: int) -> BodyReader | None:
    """The reader of a body by its Content-Encoding; empty where there is none.

    Returns:
        None where it is packed in a way that cannot be bounded and belongs to a refusal, which is judged by its status.

    Raises:
        NotACompletionError: an answer is packed so.
    """
    names = [name.strip().lower() for name in content_encoding.split(",")]
    packings = [name for name in names if name in _WINDOW_BITS or name in _NOT_READ]
    if not packings:
        return BodyReader(None)
    if len(packings) == 1 and packings[0] in _WINDOW_BITS:
        return BodyReader(_Unpacker(_WINDOW_BITS[packings[0]]))
    if status >= _FIRST_ERROR:
        return None
    raise NotACompletionError(f"a body packed with {', '.join(packings)[:40]!r}, which was not requested")


class _Unpacker:
    """Unpacks in steps: gzip of any number of members, deflate with and without its frame, and what is not packed."""

    def __init__(self, window_bits: int) -> None:
        self._window_bits = window_bits
        self._zlib = zlib.decompressobj(window_bits)
        self._is_first, self._is_plain = True, False

    def unpack(self, chunk: bytes, most: int) -> bytes:
        if self._is_first and chunk:
            self._is_first = False
            self._choose(chunk)
        if self._is_plain:
            return chunk
        try:
            return self._unpacked(chunk, most)
        except zlib.error:
            raise NotACompletionError("a body that cannot be unpacked") from None

    def _choose(self, start: bytes) -> None:
        """By how the body begins: some servers name a packing that they have not done, or leave out its frame."""
        if self._window_bits > zlib.MAX_WBITS:
            self._is_plain = not start.startswith(_GZIP[: len(start)])
        elif start[:1] in (b"{", b"[", b"<"):
            self._is_plain = True
        elif start[0] & 0x0F != zlib.DEFLATED:
            self._zlib = zlib.decompressobj(-zlib.MAX_WBITS)

    def _unpacked(self, chunk: bytes, most: int) -> bytes:
        content = self._zlib.decompress(chunk, most)
        while self._zlib.eof and self._zlib.unused_data.startswith(_GZIP) and len(content) < most:
            rest = self._zlib.unused_data
            self._zlib = zlib.decompressobj(self._window_bits)
            content += self._zlib.decompress(rest, most - len(content))
        return content
