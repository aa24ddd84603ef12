"""An endpoint that answers every request at once with the same completion: never the bottleneck.

    python -m benchmarks.static_endpoint LABEL

Prints its base URL and, when the first request for a completion comes, the time by `time.monotonic`. Serves until
standard input closes.
"""

import asyncio
import json
import sys
import time

_END_OF_HEADERS = b"\r\n\r\n"


def _answer(label: str) -> bytes:
    body = json.dumps(
        {
            "id": "chatcmpl-static",
            "object": "chat.completion",
            "created": 0,
            "model": "gpt-6-luna",
            "choices": [
                {
                    "index": 0,
                    "message": {
                        "role": "assistant",
                        "content": json.dumps({"category": label, "confidence": 0.93}),
                        "refusal": None,
                    },
                    "logprobs": None,
                    "finish_reason": "stop",
                }
            ],
            "usage": {
                "prompt_tokens": 1400,
                "completion_tokens": 14,
                "total_tokens": 1414,
                "prompt_tokens_details": {"cached_tokens": 1280, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
            },
            "service_tier": "default",
            "system_fingerprint": "fp_static",
        }
    ).encode()
    head = (
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req_static\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class _Static(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, as little of it as the benchmark's clients need."""

    said_first = False

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._received = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(_END_OF_HEADERS)) != -1:
            length = _content_length(bytes(self._received[:end]))
            whole = end + len(_END_OF_HEADERS) + length
            if len(self._received) < whole:
                return
            is_completion = self._received.startswith(b"POST")  # and not a look at the models
            del self._received[:whole]
            self._transport.write(self._answer)
            if is_completion and not _Static.said_first:
                _Static.said_first = True
                print(time.monotonic(), flush=True)


def _content_length(headers: bytes) -> int:
    for line in headers.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


async def _serve(label: str) -> None:
    answer = _answer(label)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Static(answer), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
