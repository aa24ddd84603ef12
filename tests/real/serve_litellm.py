"""A litellm proxy on loopback: `serve_litellm.py CONFIG.yaml`. Prints its address, exits when its stdin closes.

Needs the package litellm[proxy].
"""

# mypy: ignore-errors

import asyncio
import contextlib
import os
import socket
import sys

os.environ |= {"CONFIG_FILE_PATH": sys.argv[1], "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False"}

import uvicorn
from litellm.proxy.proxy_server import app


async def serve() -> None:
    """Serve until stdin closes."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    running = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started:  # noqa: ASYNC110 - the server has no event for it
        await asyncio.sleep(0.05)
    address, out = f"http://127.0.0.1:{listening.getsockname()[1]}", os.fdopen(os.dup(1), "w")
    out.write(f"{address}\n")
    out.flush()
    await asyncio.to_thread(sys.stdin.read)
    server.should_exit = True
    with contextlib.suppress(asyncio.CancelledError):
        await running


asyncio.run(serve())
