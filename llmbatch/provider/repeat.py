"""Repeats the request that the SDK has built, with different bodies over the same connections.

All requests of a run differ only in their body. The SDK builds each one from scratch, which takes several times as long
as sending it. So the SDK builds the first one, with credentials, URL and headers, and opens the connections; the others
repeat it with another body. Either way, answers are judged by status, headers and body.
"""

import math
from typing import TYPE_CHECKING, Any

from llmbatch.provider.body import LARGEST_ANSWER, body_reader
from llmbatch.provider.response import Response

if TYPE_CHECKING:
    from aiohttp import ClientSession, ClientTimeout
    from openai import AsyncOpenAI

    from llmbatch.provider.http_library import httpx

_OF_ONE_REQUEST = frozenset({"host", "content-length", "transfer-encoding", "connection", "idempotency-key"})
"""Headers that differ for each request."""


class RepeatedRequest:
    """One request that can be sent any number of times concurrently."""

    def __init__(self, session: "ClientSession", request: "httpx.Request", transport: Any) -> None:
        """Take the request over from the SDK.

        Args:
            session: the SDK's session, with its connections.
            request: the request as built by the SDK.
            transport: the transport used, with its proxy if any.
        """
        from yarl import URL  # noqa: PLC0415

        self._session = session
        self._timeouts: dict[float, ClientTimeout] = {}
        self._url = URL(str(request.url), encoded=True)
        self._headers = {name: value for name, value in request.headers.items() if name.lower() not in _OF_ONE_REQUEST}
        self._options: dict[str, Any] = {"allow_redirects": False, "auto_decompress": False}
        if (proxy := transport.proxy) is not None:
            user, password = proxy.auth or (None, None)
            address = URL(str(proxy.url)).with_user(user).with_password(password)
            self._options |= {"proxy": address, "proxy_headers": proxy.headers}

    async def send(self, body: bytes, timeout_s: float) -> Response:
        """Send the request with this body.

        Args:
            body: the request body.
            timeout_s: seconds until the complete answer must have arrived.

        Raises:
            NotACompletionError: the response is too large.
            aiohttp.ClientError, OSError, TimeoutError: no response.
        """
        timeout = self._timeouts.get(timeout_s) or self._timeout(timeout_s)
        async with self._session.post(
            self._url, data=body, headers=self._headers, timeout=timeout, **self._options
        ) as answer:
            headers = {name.lower(): _text(value) for name, value in answer.headers.items()}
            encoding = headers.pop("content-encoding", "")
            if not encoding and (answer.content_length or LARGEST_ANSWER) < LARGEST_ANSWER:
                return Response(answer.status, headers, await answer.read())
            reader = body_reader(encoding, answer.status)
            if reader is None:
                return Response(answer.status, headers, b"")
            parts = [reader.read(chunk) async for chunk in answer.content.iter_any()]
            return Response(answer.status, headers, b"".join(parts))

    def _timeout(self, timeout_s: float) -> "ClientTimeout":
        """A single timer for the whole request, without rounding up, which aiohttp does to long time-outs."""
        import aiohttp  # noqa: PLC0415 - heavy, and loaded by then

        timeout = aiohttp.ClientTimeout(total=timeout_s, ceil_threshold=math.inf)
        self._timeouts[timeout_s] = timeout
        return timeout


def _text(value: str) -> str:
    """A header's value as valid text, whatever its bytes."""
    return value if value.isascii() else value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def repeated(client: "AsyncOpenAI", request: "httpx.Request") -> RepeatedRequest | None:
    """Wrap the request that a client has just sent, for repetition; None if its transport is not the expected one.

    Args:
        client: the SDK's client.
        request: the request as it was sent.
    """
    transport = client._client._transport_for_url(request.url)  # noqa: SLF001 - there is no public access
    session = getattr(transport, "client", None)
    if session is None or callable(session):
        return None
    return RepeatedRequest(session, request, transport)
