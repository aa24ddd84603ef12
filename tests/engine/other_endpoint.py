"""An endpoint that is not our own: it refuses, queues and states limits as real servers do."""

import asyncio
import json
import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

ANSWER = {
    "id": "x",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": '{"category":"technical","percent":90}'},
        }
    ],
    "usage": {"prompt_tokens": 1600, "completion_tokens": 20, "total_tokens": 1620},
}


@dataclass(frozen=True)
class Said:
    """Its answer, sent at once or when a slot is free."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Seen:
    """Statistics of its requests; the names are the offline endpoint's."""

    by_second: Counter[int] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    abandoned: int = 0
    """Requests whose client went away before they were answered."""
    first_at: float = math.inf
    """When the first request arrived, by the endpoint's clock."""
    last_at: float = -math.inf
    """When the last answer left."""


class OtherEndpoint:
    """HTTP over a plain socket, one request after another on each connection."""

    def __init__(
        self,
        clock: Callable[[], float],
        judge: Callable[[float], Said] = lambda _: Said(),
        *,
        latency_s: float = 0.3,
        jitter: float = 0.0,
        slots: int | None = None,
    ) -> None:
        """`slots`: how many requests it processes at once; the others are queued, as in llama.cpp and vLLM."""
        self.stats = Seen()
        self._clock = clock
        self._judge = judge
        self._latency_s = latency_s
        self._jitter = jitter
        self._slots = asyncio.Semaphore(slots) if slots else None
        self._random = Random(1)
        self._server: asyncio.Server | None = None

    async def start(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=4096)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
                await reader.readexactly(int(lengths[0].split(b":")[1]) if lengths else 0)
                await self._answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.stats.by_second[int(self._clock())] += 1
        self.stats.first_at = min(self.stats.first_at, self._clock())
        reply = self._judge(self._clock())
        if reply.status == 200:
            await self._work(reader)
        self.stats.statuses[reply.status] += 1
        self.stats.last_at = self._clock()
        body: Any = ANSWER if reply.status == 200 else {"error": {"message": "slow down", "code": reply.status}}
        raw = json.dumps(body).encode()
        headers = {"content-type": "application/json", "content-length": str(len(raw)), **reply.headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(f"HTTP/1.1 {reply.status} X\r\n{lines}\r\n".encode() + raw)
        await writer.drain()

    async def _work(self, reader: asyncio.StreamReader) -> None:
        """Process an abandoned request to its end, as servers do that notice it too late."""
        took_s = self._latency_s * self._random.lognormvariate(0, self._jitter)
        if self._slots is None:
            await asyncio.sleep(took_s)
        else:
            async with self._slots:
                await asyncio.sleep(took_s)
        if reader.at_eof():
            self.stats.abandoned += 1
