"""No answer is larger than it may be, packed or unpacked: a server gone wrong must not fill the memory.

Answers of a few hundred bytes gain nothing from compression, so requests ask for none. A server or proxy that packs
all the same is understood where it uses gzip or deflate, which can be unpacked in steps.

Loads the HTTP library: imported with the SDK's client, not before.
"""

import zlib
from collections.abc import AsyncIterable, AsyncIterator

from llmbatch.provider.completion import NotACompletionError
from llmbatch.provider.http_library import httpx

LARGEST_ANSWER = 1 << 20
"""Bytes. A label takes some hundred, an error page some thousand."""
UNPACKED = {"Accept-Encoding": "identity"}
"""The header that asks for answers as they are."""

_WINDOW_BITS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
_NOT_READ = frozenset({"br", "zstd", "compress", "x-compress", "dcb", "dcz"})
"""Compressions that cannot be unpacked here. All other names are none: servers say `utf-8` or `none` there."""
_GZIP, _FIRST_ERROR = b"\x1f\x8b", 300


async def bound_answer(response: httpx.Response) -> None:
    """Bound an answer whose body is still to be read: a response hook of the client.

    A refusal that is packed in a way that cannot be bounded is judged by its status, without its body.

    Raises:
        NotACompletionError: an answer is packed so. Reading it raises the same where more comes than an answer can be,
            or than can be unpacked.
    """
    names = [name.strip().lower() for name in response.headers.pop("content-encoding", "").split(",")]
    packings = [name for name in names if name in _WINDOW_BITS or name in _NOT_READ]
    stream = response.stream
    assert isinstance(stream, httpx.AsyncByteStream)  # noqa: S101 - an async client's answers are
    if not packings:
        response.stream = _BoundedStream(stream, None)
    elif len(packings) == 1 and packings[0] in _WINDOW_BITS:
        response.stream = _BoundedStream(stream, _Unpacker(_WINDOW_BITS[packings[0]]))
    elif response.status_code >= _FIRST_ERROR:
        response.stream = _UnreadStream(stream)
    else:
        raise NotACompletionError(f"a body packed with {', '.join(packings)[:40]!r}, which was not asked for")


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


class _UnreadStream(httpx.AsyncByteStream):
    """A body that is not looked at."""

    def __init__(self, stream: httpx.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for nothing in tuple[bytes, ...]():
            yield nothing

    async def aclose(self) -> None:
        await self._stream.aclose()


class _BoundedStream(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream, unpacker: _Unpacker | None) -> None:
        self._stream = stream
        self._unpacker = unpacker

    async def __aiter__(self) -> AsyncIterator[bytes]:
        room = LARGEST_ANSWER
        chunks: AsyncIterable[bytes] = self._stream
        async for chunk in chunks:
            content = chunk if self._unpacker is None else self._unpacker.unpack(chunk, room + 1)
            room -= len(content)
            if room < 0:
                raise NotACompletionError(f"a body of more than {LARGEST_ANSWER:,} bytes")
            yield content

    async def aclose(self) -> None:
        await self._stream.aclose()
