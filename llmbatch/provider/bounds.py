"""No answer is larger than it may be, packed or unpacked: a server gone wrong must not fill the memory.

Answers of a few hundred bytes gain nothing from compression, so requests ask for none. A server or proxy that packs
all the same is understood where it uses gzip or deflate, which can be unpacked in steps.

Loads httpx2: imported with the SDK's client, not before.
"""

import zlib
from collections.abc import AsyncIterable, AsyncIterator

import httpx2

from llmbatch.provider.completion import NotACompletionError

LARGEST_ANSWER = 1 << 20
"""Bytes. A label takes some hundred, an error page some thousand."""
UNPACKED = {"Accept-Encoding": "identity"}
"""The header that asks for answers as they are."""

_WINDOW_BITS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


async def bound_answer(response: httpx2.Response) -> None:
    """Bound an answer whose body is still to be read: a response hook of the client.

    Raises:
        NotACompletionError: it is packed in a way that cannot be bounded. Reading it raises the same where more comes
            than an answer can be, or than can be unpacked.
    """
    packing = response.headers.pop("content-encoding", "identity").strip().lower()
    stream = response.stream
    assert isinstance(stream, httpx2.AsyncByteStream)  # noqa: S101 - an async client's answers are
    if packing in _WINDOW_BITS:
        response.stream = _BoundedStream(stream, _Unpacker(_WINDOW_BITS[packing]))
    elif packing in ("identity", ""):
        response.stream = _BoundedStream(stream, None)
    else:
        raise NotACompletionError(f"a body packed with {packing[:40]!r}, which was not asked for")


class _Unpacker:
    def __init__(self, window_bits: int) -> None:
        self._zlib = zlib.decompressobj(window_bits)

    def unpack(self, chunk: bytes, most: int) -> bytes:
        try:
            return self._zlib.decompress(chunk, most)
        except zlib.error:
            raise NotACompletionError("a body that cannot be unpacked") from None


class _BoundedStream(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream, unpacker: _Unpacker | None) -> None:
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
