"""One reviewer's application: a separate process whose terminal is a browser.

The process speaks the protocol of Textual's web driver: first a line, then packets of one letter for the kind, four
bytes for the length, and the content. `D` is terminal input or output, `M` a JSON message.
"""

import asyncio
import os
from collections.abc import Sequence

import orjson
from aiohttp import WSMsgType, web

from llmbatch.review.walk import WEB_DRIVER

_BEGIN = b"__GANGLION__\n"
_MOST_CELLS = 1_000
_PATIENCE_S = 30.0
"""Time for a process that was asked to quit to add its decisions to the results."""


async def run_application(command: Sequence[str], socket: web.WebSocketResponse, width: str, height: str) -> None:
    """Run the application until it ends or its browser disconnects.

    Args:
        command: the command that starts it.
        socket: the connection to the browser.
        width: columns, as the browser reports them.
        height: lines, likewise.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=_environment(_cells(width, 80), _cells(height, 24)),
        start_new_session=True,  # Ctrl-C goes to the server, which shuts each one down cleanly
    )
    assert process.stdin is not None  # noqa: S101 - requested above
    assert process.stdout is not None  # noqa: S101
    shown = asyncio.create_task(_show(process.stdout, socket))
    try:
        await _listen(socket, process.stdin)
    finally:
        await _end(process, process.stdin)
        await shown


def _environment(columns: int, lines: int) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "LLMBATCH_REVIEW_WEB"}
    return {
        **kept,
        "TEXTUAL_DRIVER": WEB_DRIVER,
        "TEXTUAL_COLOR_SYSTEM": "truecolor",
        "COLUMNS": str(columns),
        "ROWS": str(lines),
    }


async def _show(output: asyncio.StreamReader, socket: web.WebSocketResponse) -> None:
    """Forward what the application draws until it ends."""
    try:
        while (await output.readline()) not in {_BEGIN, b""}:
            pass
        while True:
            kind, size = await output.readexactly(1), int.from_bytes(await output.readexactly(4))
            content = await output.readexactly(size)
            if kind == b"D" and not socket.closed:
                await socket.send_bytes(content)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass  # one side has disconnected
    finally:
        await socket.close()


async def _listen(socket: web.WebSocketResponse, stdin: asyncio.StreamWriter) -> None:
    """Forward what is typed until the browser disconnects. All other messages are ignored."""
    async for message in socket:
        if message.type != WSMsgType.TEXT:
            continue
        try:
            match orjson.loads(message.data):
                case ["stdin", str(typed)]:
                    await _send(stdin, b"D", typed.encode("utf-8", "ignore"))
                case ["resize", {"width": int(width), "height": int(height)}]:
                    size = {"width": _cells(str(width), 80), "height": _cells(str(height), 24)}
                    await _send(stdin, b"M", orjson.dumps({"type": "resize", **size}))
                case ["ping", str() | int() | float() as sent]:
                    await socket.send_json(["pong", sent])
        except orjson.JSONDecodeError:
            continue
        except ConnectionError:
            return


async def _end(process: asyncio.subprocess.Process, stdin: asyncio.StreamWriter) -> None:
    try:
        await _send(stdin, b"M", b'{"type": "quit"}')
        stdin.close()
    except ConnectionError:
        pass  # the application has ended
    try:
        await asyncio.wait_for(process.wait(), _PATIENCE_S)
    except TimeoutError:
        process.terminate()
        await process.wait()


async def _send(stdin: asyncio.StreamWriter, kind: bytes, content: bytes) -> None:
    stdin.write(kind + len(content).to_bytes(4) + content)
    await stdin.drain()


def _cells(text: str, default: int) -> int:
    return min(int(text), _MOST_CELLS) if text.isdecimal() and int(text) else default
