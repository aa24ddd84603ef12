"""The offline endpoint: a real HTTP server on loopback."""

import asyncio
import ipaddress
import re
import secrets
import time
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING

import orjson
from aiohttp import web

from llmbatch.core.errors import UsageError
from llmbatch.simulate.batch_api import BatchApi, is_of_batches
from llmbatch.simulate.chat import Chat, Client, Outcome
from llmbatch.simulate.delivery import Sleep, deliver
from llmbatch.simulate.reply import RefusedError, Reply, error_reply
from llmbatch.simulate.settings import SimulatorSettings
from llmbatch.tokens import count_tokens

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.http_parser import RawRequestMessage
    from aiohttp.streams import StreamReader
    from aiohttp.web_protocol import RequestHandler

    from llmbatch.simulate.stats import Stats

_COMPLETIONS = frozenset({"/v1/chat/completions", "/chat/completions", "/openai/v1/chat/completions"})
_DEPLOYMENT = re.compile(r"/openai/deployments/([^/]+)/(?:chat/completions|embeddings)")
_EMBEDDINGS = frozenset({"/v1/embeddings", "/embeddings", "/openai/v1/embeddings"})
_MODELS = re.compile(r"(?:/openai)?(?:/v1)?/models(?:/(.+))?")

_LISTED = ("gpt-6-luna", "gpt-6-sol", "gpt-6.1-sol", "gpt-5.4-mini", "gpt-5-mini", "gpt-4.1-mini", "gpt-4o-mini")
"""Models in the list if every name is served."""
_LARGEST_BODY, _LARGEST_FILE = 64 * 1024 * 1024, 256 * 1024 * 1024
_CONNECTIONS_WAITING = 4096  # a run may open thousands at once
_SHUTDOWN_S = 0.1  # requests that hang on purpose would hang for minutes


class Simulator:
    """The offline endpoint. Start it, point an SDK at its URL, look at `stats`, stop it.

    Args:
        settings: how it behaves.
        clock: in seconds, for limits and the cache's time to live.
        sleep: waits for a latency or a delay.
    """

    def __init__(
        self,
        settings: SimulatorSettings = SimulatorSettings(),  # noqa: B008 - frozen
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._sleep = sleep
        self._request_ids = count(1)
        self._instance = secrets.token_hex(8)
        self.reset()
        self._runner: web.ServerRunner | None = None

    @property
    def stats(self) -> "Stats":
        """What it has seen since its start or its last reset."""
        return self._chat.stats

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen on a loopback address; port 0 picks a free one.

        Returns:
            The base URL for an SDK, such as `http://127.0.0.1:PORT/v1`.

        Raises:
            UsageError: the address is not a loopback address, or cannot be listened on.
        """
        check_loopback(host)
        count_tokens("")  # loading the table must not delay the first answer
        server = web.Server(
            self._handle,
            request_factory=_request,
            handler_cancellation=True,
            access_log=None,
            lingering_time=0,  # otherwise aiohttp would continue to read a broken body, and log a traceback
        )
        self._runner = web.ServerRunner(server, shutdown_timeout=_SHUTDOWN_S)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port, backlog=_CONNECTIONS_WAITING).start()
        except OSError as error:
            await self.stop()
            raise UsageError(f"cannot listen on {host}, port {port}: {error.strerror or error}") from None
        address = self._runner.addresses[0]
        shown = f"[{address[0]}]" if ":" in address[0] else address[0]
        return f"http://{shown}:{address[1]}/v1"

    async def stop(self) -> None:
        """Close all connections and stop listening. Requests in flight are dropped."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def reset(self) -> None:
        """Forget everything seen so far: counts, request numbers, limits, the prompt cache, files and batches."""
        self._chat = Chat(self._settings, clock=self._clock)
        self._batches = BatchApi(self._settings, self._chat, self._instance, clock=self._clock)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        client = _client(request)
        if is_of_batches(request.path):
            return await self._send(request, await self._batches.answer(request, Client(_key(request))), self._clock())
        if request.path == "/_stats":
            await self._batches.go_on(Client(self._settings.api_key))
        if client is None:
            return await self._send(request, Outcome(self._side_answer(request)), self._clock())
        if request.method != "POST":
            return await self._send(request, Outcome(_wrong_method(request)), self._clock())
        return await self._complete(request, client)

    async def _complete(self, request: web.BaseRequest, client: Client) -> web.StreamResponse:
        began, chat = self._clock(), self._chat
        number = chat.enter()
        try:
            answer = chat.embed if request.path.endswith("/embeddings") else chat.answer
            outcome = answer(await _body(request), client, number)
            if outcome.delivery.wait_s:
                await self._sleep(outcome.delivery.wait_s)
            if outcome.delivery.arrives:
                chat.answered(outcome)
            return await self._send(request, outcome, began)
        finally:
            chat.stats.leave()

    async def _send(self, request: web.BaseRequest, outcome: Outcome, began: float) -> web.StreamResponse:
        reply = outcome.reply
        headers = {
            **reply.headers,
            "x-request-id": f"req_{self._instance}{next(self._request_ids):016x}",
            "openai-processing-ms": str(round((self._clock() - began) * 1000)),
            "openai-version": "2020-10-01",
        }
        dressed = Reply(reply.status, reply.body, headers, reply.content_type)
        return await deliver(request, dressed, outcome.delivery, self._sleep)

    def _side_answer(self, request: web.BaseRequest) -> Reply:
        """Everything except completions and batches: models, and the endpoint's own statistics."""
        match request.method, request.path:
            case "GET", "/_stats":
                with_questions = "questions" in request.query
                return Reply(200, orjson.dumps(self.stats.as_json(with_questions=with_questions)))
            case "GET", "/_stats/timeline":
                return Reply(200, orjson.dumps(self.stats.timeline_json()))
            case "POST", "/_reset":
                self.reset()
                return Reply(200, b"{}")
            case "GET", path if (match := _MODELS.fullmatch(path)) is not None:
                return self._models(match[1], _key(request))
            case _, "/_stats" | "/_stats/timeline" | "/_reset" | "/v1/models" | "/models":
                return _wrong_method(request)
            case method, path:
                return error_reply(404, f"Invalid URL ({method} {path})")

    def _models(self, name: str | None, key: str | None) -> Reply:
        try:
            self._chat.check_key(Client(key))
            if name is not None:
                self._chat.check_model(name)
                return Reply(200, orjson.dumps(self._model(name)))
        except RefusedError as error:
            return self._chat.refusal(error.reply, name or "")
        listed = self._settings.models or self._chat.dialect.models or _LISTED
        models = [self._model(served) for served in listed]
        return Reply(200, orjson.dumps({"object": "list", "data": models}))

    def _model(self, name: str) -> dict[str, object]:
        return self._chat.dialect.listed(name, self._settings.window)


def check_loopback(host: str) -> None:
    """Accept only a loopback address, so that no document leaves this machine and no other machine can connect.

    Raises:
        UsageError: `host` is not a loopback address.
    """
    if host == "localhost":
        return
    try:
        if ipaddress.ip_address(host).is_loopback:
            return
    except ValueError:
        pass
    raise UsageError(
        f"{host!r} is not a loopback address", hint="the offline endpoint serves this machine only: 127.0.0.1"
    )


def _request(
    message: "RawRequestMessage",
    payload: "StreamReader",
    protocol: "RequestHandler",
    writer: "AbstractStreamWriter",
    task: "asyncio.Task[None]",
) -> web.BaseRequest:
    """Creates requests like aiohttp, except for the maximum size of a body."""
    loop = asyncio.get_running_loop()
    largest = _LARGEST_FILE if message.path.partition("?")[0].endswith("/files") else _LARGEST_BODY
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=largest)


def _client(request: web.BaseRequest) -> Client | None:
    """The client of a completion or of embeddings; None if the path is another one."""
    if request.path in _COMPLETIONS or request.path in _EMBEDDINGS:
        return Client(_key(request))
    match = _DEPLOYMENT.fullmatch(request.path)
    return None if match is None else Client(_key(request), deployment=match[1])


def _key(request: web.BaseRequest) -> str | None:
    bearer = request.headers.get("Authorization", "")
    return request.headers.get("api-key") or bearer.removeprefix("Bearer ").strip() or None


async def _body(request: web.BaseRequest) -> bytes:
    try:
        return await request.read()
    except web.RequestPayloadError:
        return b""  # broken chunks or compression: answered like any body that is not JSON


def _wrong_method(request: web.BaseRequest) -> Reply:
    message = (
        f"Not allowed to {request.method} on {request.path}. (HINT: Perhaps you meant to use a different HTTP method?)"
    )
    return error_reply(405, message, code="method_not_supported")
