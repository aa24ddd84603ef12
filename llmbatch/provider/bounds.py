"""Limits the size of response bodies read by the SDK, through a hook of its HTTP client.

Loads the HTTP library: imported with the SDK's client, not before.
"""

from collections.abc import AsyncIterable, AsyncIterator

from llmbatch.provider.body import BodyReader, body_reader
from llmbatch.provider.http_library import httpx


async def bound_answer(response: httpx.Response) -> None:
    """Limit a response whose body has not been read yet: a response hook of the client.

    Raises:
        NotACompletionError: it cannot be limited. Reading it raises the same error if it turns out to be too large.
    """
    reader = body_reader(response.headers.pop("content-encoding", ""), response.status_code)
    stream = response.stream
    assert isinstance(stream, httpx.AsyncByteStream)  # noqa: S101 - true of an async client
    response.stream = _UnreadStream(stream) if reader is None else _BoundedStream(stream, reader)


class _UnreadStream(httpx.AsyncByteStream):
    """A body that is discarded."""

    def __init__(self, stream: httpx.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for nothing in tuple[bytes, ...]():
            yield nothing

    async def aclose(self) -> None:
        await self._stream.aclose()


class _BoundedStream(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream, reader: BodyReader) -> None:
        self._stream = stream
        self._reader = reader

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks: AsyncIterable[bytes] = self._stream
        async for chunk in chunks:
            yield self._reader.read(chunk)

    async def aclose(self) -> None:
        await self._stream.aclose()
