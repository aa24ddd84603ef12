"""Sends a reply over HTTP, or fails to in the requested way."""

import asyncio
import socket
import struct
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import cache

from aiohttp import web

from llmbatch.simulate.reply import Delivery, Manner, Reply

Sleep = Callable[[float], Awaitable[None]]

_WHITE_SPACE = b" " * 65536
_PACKED = {"Content-Encoding": "gzip"}
_GZIP = 16 + zlib.MAX_WBITS
_BOMB_MIB = 256
_ZEROS = b"\0" * 1024 * 1024
_NO_LINGER = struct.pack("ii", 1, 0)


async def deliver(request: web.BaseRequest, reply: Reply, delivery: Delivery, sleep: Sleep) -> web.StreamResponse:
    """Send `reply` as `delivery` says.

    Returns:
        The response, for aiohttp to finish. If the connection was broken on purpose, it is not sent.
    """
    match delivery.manner:
        case Manner.WHOLE:
            return _response(reply)
        case Manner.HANG:
            await sleep(delivery.spread_s)
            _abort(request)
            return _response(reply)
        case Manner.RESET:
            _abort(request)
            return _response(reply)
        case Manner.CUT:
            return await _cut(request, reply)
        case Manner.DRIP:
            return await _drip(request, reply, delivery.spread_s, sleep)
        case Manner.ENDLESS:
            return await _endless(request, reply)
        case Manner.BOMB:
            return _response(replace(reply, body=_packed_zeros(), headers={**reply.headers, **_PACKED}))


def _response(reply: Reply) -> web.Response:
    return web.Response(status=reply.status, body=reply.body, headers=reply.headers, content_type=reply.content_type)


async def _cut(request: web.BaseRequest, reply: Reply) -> web.StreamResponse:
    response = await _start(request, reply)
    await response.write(reply.body[: len(reply.body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response


async def _drip(request: web.BaseRequest, reply: Reply, spread_s: float, sleep: Sleep) -> web.StreamResponse:
    response = await _start(request, reply)
    for byte in reply.body:
        await sleep(spread_s / len(reply.body))
        await response.write(bytes((byte,)))
    return response


async def _endless(request: web.BaseRequest, reply: Reply) -> web.StreamResponse:
    response = await _start(request, reply, announce_length=False)
    while True:  # until the client disconnects, which ends this task
        await response.write(_WHITE_SPACE)


@cache
def _packed_zeros() -> bytes:
    packer = zlib.compressobj(9, wbits=_GZIP)
    return b"".join(packer.compress(_ZEROS) for _ in range(_BOMB_MIB)) + packer.flush()


async def _start(request: web.BaseRequest, reply: Reply, *, announce_length: bool = True) -> web.StreamResponse:
    response = web.StreamResponse(status=reply.status, headers=reply.headers)
    response.content_type = reply.content_type
    if announce_length:
        response.content_length = len(reply.body)
    await response.prepare(request)
    return response


def _abort(request: web.BaseRequest) -> None:
    """End the connection with a reset: without lingering, so that the kernel sends one to the client."""
    if request.transport is None:
        return
    connection = request.transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    if isinstance(request.transport, asyncio.WriteTransport):
        request.transport.abort()
