"""An endpoint that answers by a test's function: anything a provider, a gateway or a firewall may send."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Reply:
    """What is sent back: JSON data, or text or bytes unchanged."""

    status: int = 200
    body: Any = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def raw(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


@dataclass(frozen=True)
class Asked:
    """One request: its number from 1, its body, its document's text (for embeddings, all texts, one per line), how
    often that text has been received, its headers."""

    number: int
    body: dict[str, Any]
    text: str
    times: int
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def choices(self) -> list[str]:
        """The labels that its schema allows."""
        schema = self.body["response_format"]["json_schema"]["schema"]
        allowed: list[str] = schema["properties"]["category"]["enum"]
        return allowed


Script = Callable[[Asked], Reply]


@dataclass
class Scripted:
    """A running endpoint, and the requests that it received."""

    url: str
    asked: list[Asked] = field(default_factory=list)


@contextmanager
def scripted(script: Script, *, models: Any = None) -> Iterator[Scripted]:
    """Serve on loopback until the block ends; `models` is the reply of `/v1/models`, 404 without it."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            text = str(body["messages"][-1]["content"]) if "messages" in body else "\n".join(body["input"])
            with lock:
                times = 1 + sum(earlier.text == text for earlier in running.asked)
                asked = Asked(len(running.asked) + 1, body, text, times, self.path, dict(self.headers))
                running.asked.append(asked)
            self._send(script(asked))

        def do_GET(self) -> None:
            self._send(Reply(404, {"detail": "Not Found"}) if models is None else Reply(200, models))

        def _send(self, reply: Reply) -> None:
            self.send_response(reply.status)
            for name, value in {"content-length": str(len(reply.raw)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.raw)

        def log_message(self, *_: Any) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running = Scripted(f"http://127.0.0.1:{server.server_port}/v1")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def answer(
    content: Any = '{"category":"technical","percent":92}',
    *,
    finish_reason: Any = "stop",
    usage: Mapping[str, Any] | None = None,
    message: Mapping[str, Any] | None = None,
    **more: Any,
) -> Reply:
    """A chat completion."""
    counted = {"prompt_tokens": 1700, "completion_tokens": 12, "total_tokens": 1712} if usage is None else usage
    reply_message = {"role": "assistant", "content": content, **(message or {})}
    choice = {"index": 0, "message": reply_message, "finish_reason": finish_reason}
    return Reply(200, {"id": "x", "model": "m", "choices": [choice], "usage": dict(counted), **more})


def is_row(asked: Asked, *numbers: int) -> bool:
    """Whether a request is about one of these rows of `documents`."""
    return any(f"in case {number}." in asked.text for number in numbers)
