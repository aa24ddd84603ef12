"""A web server on loopback whose answers a test defines."""

import re
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Asked:
    """A request."""

    path: str
    headers: Message


@dataclass
class Reply:
    """An answer. If `cut` is given, the connection closes after that many bytes of the body."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    before_end: Callable[[], object] = int
    says_length: bool = True


Script = Callable[[Asked], Reply]


@dataclass
class FileServer:
    """Answers by `script`, and records the requests."""

    script: Script
    asked: list[Asked] = field(default_factory=list)
    port: int = 0
    scheme: str = "http"

    def url(self, path: str) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}{path}"


def ranged(body: bytes, asked: Asked, headers: dict[str, str], *, cut: int | None = None) -> Reply:
    """The reply of a server that supports ranges, ETags and If-Range."""
    tag = headers.get("ETag")
    if tag is not None and asked.headers.get("If-None-Match") == tag:
        return Reply(status=304, headers=headers)
    wanted = re.fullmatch(r"bytes=(\d+)-", asked.headers.get("Range", ""))
    if wanted is None or asked.headers.get("If-Range", tag) != tag:
        return Reply(body, headers=headers, cut=cut)
    start = int(wanted[1])
    if start >= len(body):
        return Reply(status=416, headers={**headers, "Content-Range": f"bytes */{len(body)}"})
    span = f"bytes {start}-{len(body) - 1}/{len(body)}"
    return Reply(body[start:], 206, {**headers, "Content-Range": span}, cut)


@contextmanager
def serving(script: Script, tls: ssl.SSLContext | None = None) -> Iterator[FileServer]:
    """A server that runs for the duration of the block."""
    server = FileServer(script, scheme="https" if tls else "http")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked = Asked(self.path, self.headers)
            server.asked.append(asked)
            reply = server.script(asked)
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if reply.says_length:
                self.send_header("Content-Length", str(len(reply.body)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(reply.body if reply.cut is None else reply.body[: reply.cut])
            self.wfile.flush()
            reply.before_end()
            self.close_connection = True

        def log_message(self, *_: Any) -> None: ...

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        listening.socket = tls.wrap_socket(listening.socket, server_side=True)
    server.port = listening.server_address[1]
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()
