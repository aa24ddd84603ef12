"""The loopback server, which runs an application for each reviewer's browser."""

import asyncio
import signal
import socket as sockets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import closing
from importlib.resources import files
from pathlib import Path

import textual_serve
from aiohttp import WSCloseCode, web

from llmbatch.core.errors import UsageError
from llmbatch.core.own_program import own_command
from llmbatch.review.opened import opened
from llmbatch.review.queue import Choice, make_queue
from llmbatch.review.settle import Settled, settle
from llmbatch.review.web.access import REVIEWER, Access
from llmbatch.review.web.application import run_application
from llmbatch.review.web.page import FOCUS, HEADERS, page
from llmbatch.runs.folder import RunFolder
from llmbatch.runs.trust import NO_TRUST, Trust

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def serve_review(
    path: Path,
    choice: Choice,
    *,
    reviewers: Sequence[str],
    port: int,
    light: bool | None,
    announce: Callable[[Mapping[str, str]], None],
    trust: Trust = NO_TRUST,
) -> Settled | None:
    """Serve the review of a run to browsers on this machine, until Ctrl-C or SIGTERM.

    Args:
        path: the run folder.
        choice: which rows.
        reviewers: each gets their own link.
        port: the port on 127.0.0.1; 0 for any free one.
        light: whether the application starts with the light theme.
        announce: called with each reviewer's link once the server listens.
        trust: what the user says about the folder.

    Returns:
        Where the decisions are; None if there are no decisions.

    Raises:
        UsageError: the run cannot be reviewed, or the port is taken.
    """
    with opened(path, trust) as run, closing(make_queue(run, choice)):
        pass  # so that errors appear here rather than in a browser
    decisions = RunFolder(path).decisions
    before = _size(decisions)
    arguments = _arguments(path, choice, trust, light=light)
    with _listening(port) as listening:
        access = Access(reviewers, listening.getsockname()[1])
        asyncio.run(_serve(listening, access, path.name, arguments, announce))
    return settle(path, trust) if _size(decisions) != before else None


async def _serve(
    listening: sockets.socket,
    access: Access,
    run: str,
    arguments: Sequence[str],
    announce: Callable[[Mapping[str, str]], None],
) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    runner = web.AppRunner(_application(access, run, arguments), handle_signals=False, shutdown_timeout=_SHUTDOWN_S)
    await runner.setup()
    await web.SockSite(runner, listening).start()
    announce(access.links())
    await stopped.wait()
    await runner.cleanup()


def _application(access: Access, run: str, arguments: Sequence[str]) -> web.Application:
    address = access.origin.replace("http", "ws", 1)
    headers = {name: value.replace("{socket}", address) for name, value in HEADERS.items()}

    @web.middleware
    async def guarded(request: web.Request, handler: _Handler) -> web.StreamResponse:
        request[REVIEWER] = access.check(request)
        return await handler(request)

    async def with_headers(_: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(headers)

    async def index(request: web.Request) -> web.Response:
        title = f"{request[REVIEWER]} reviews {run}"
        return web.Response(text=page(title, f"{address}/ws"), content_type="text/html")

    async def focus(_: web.Request) -> web.Response:
        return web.Response(text=FOCUS, content_type="text/javascript")

    async def socket(request: web.Request) -> web.StreamResponse:
        if request.headers.get("Origin") != access.origin:
            raise web.HTTPForbidden
        response = web.WebSocketResponse(heartbeat=15)
        await response.prepare(request)
        open_sockets.add(response)
        try:
            command = own_command("review", "walk", *arguments, "--reviewer", request[REVIEWER])
            await run_application(command, response, request.query.get("width", ""), request.query.get("height", ""))
        finally:
            open_sockets.discard(response)
        return response

    async def close_sockets(_: web.Application) -> None:
        for response in list(open_sockets):
            await response.close(code=WSCloseCode.GOING_AWAY)

    open_sockets: set[web.WebSocketResponse] = set()
    application = web.Application(middlewares=[guarded])
    application.router.add_get("/", index)
    application.router.add_get("/focus.js", focus)
    application.router.add_get("/ws", socket)
    application.router.add_static("/static", Path(str(files(textual_serve) / "static")))
    application.on_response_prepare.append(with_headers)
    application.on_shutdown.append(close_sockets)
    return application


def _listening(port: int) -> sockets.socket:
    listening = sockets.socket(sockets.AF_INET, sockets.SOCK_STREAM)
    listening.setsockopt(sockets.SOL_SOCKET, sockets.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
    except OSError as error:
        listening.close()
        raise UsageError(f"cannot listen on port {port} ({error.strerror})", hint="omit --port") from None
    return listening


def _arguments(path: Path, choice: Choice, trust: Trust, *, light: bool | None) -> Sequence[str]:
    """The command line of one reviewer's application, without the reviewer."""
    given = [str(path)]
    given += ["--sample"] if choice.sample else []
    given += ["--all"] if choice.all else []
    given += ["--blind"] if choice.blind else []
    given += [] if choice.label is None else ["--label", choice.label]
    given += [] if light is None else ["--light" if light else "--dark"]
    given += ["--trust"] if trust.is_given else []
    return [*given, *(part for name in trust.inputs for part in ("--input", name))]


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


_SHUTDOWN_S = 35.0
"""Time for applications to shut down cleanly."""
