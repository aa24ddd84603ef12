"""Reads a response body: decompressed, and limited in size so that a faulty server cannot exhaust memory.

Answers of a few hundred bytes gain nothing from compression, so requests ask for none. If a server or proxy compresses
anyway, gzip and deflate are supported, since they can be decompressed in steps.
"""

import zlib

from llmbatch.provider.completion import NotACompletionError

LARGEST_ANSWER = 1 << 20
"""Bytes. A label takes a few hundred, an error page a few thousand."""
UNPACKED = {"Accept-Encoding": "identity"}
"""The header that asks for uncompressed answers."""

_WINDOW_BITS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
_NOT_READ = frozenset({"br", "zstd", "compress", "x-compress", "dcb", "dcz"})
"""Unsupported compressions. Any other name means no compression: some servers send `utf-8` or `none`."""
_GZIP, _FIRST_ERROR = b"\x1f\x8b", 300


class BodyReader:
    """Processes a body's chunks as they arrive."""

    def __init__(self, unpacker: "_Unpacker | None") -> None:
        self._unpacker = unpacker
        self._room = LARGEST_ANSWER

    def read(self, chunk: bytes) -> bytes:
        """Decompress the next chunk.

        Raises:
            NotACompletionError: the body is too large, or cannot be decompressed.
        """
        content = chunk if self._unpacker is None else self._unpacker.unpack(chunk, self._room + 1)
        self._room -= len(content)
        if self._room < 0:
            raise NotACompletionError(f"a body of more than {LARGEST_ANSWER:,} bytes")
        return content


def body_reader(content_encoding: str, status: int) -> BodyReader | None:
    """The reader for a Content-Encoding, which is empty if there is none.

    Returns:
        None for an unsupported compression of an error response, which is classified by its status.

    Raises:
        NotACompletionError: a successful response uses an unsupported compression.
    """
    names = [name.strip().lower() for name in content_encoding.split(",")]
    packings = [name for name in names if name in _WINDOW_BITS or name in _NOT_READ]
    if not packings:
        return BodyReader(None)
    if len(packings) == 1 and packings[0] in _WINDOW_BITS:
        return BodyReader(_Unpacker(_WINDOW_BITS[packings[0]]))
    if status >= _FIRST_ERROR:
        return None
    raise NotACompletionError(f"a body compressed with {', '.join(packings)[:40]!r}, which was not requested")


class _Unpacker:
    """Decompresses in steps: gzip with any number of members, deflate with or without header, uncompressed data."""

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
            raise NotACompletionError("a body that cannot be decompressed") from None

    def _choose(self, start: bytes) -> None:
        """Decide by the first bytes: some servers declare a compression they did not apply, or omit its header."""
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
