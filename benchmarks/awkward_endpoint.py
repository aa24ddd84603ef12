"""Endpoints as other people have them: with slots and a queue, with random refusals, with limits of any meaning.

    python -m benchmarks.awkward_endpoint KIND ...

Kinds: queue SLOTS LATENCY_S, refusing SHARE WAIT_MS, window LIMIT SECONDS, day LIMIT.

Prints its base URL; when standard input closes, what it has met, as one JSON object.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable
from random import Random

from tests.engine.other_endpoint import OtherEndpoint, Said

_LATENCY_S, _JITTER = 0.3, 0.2


def _queue(slots: str, latency_s: str) -> OtherEndpoint:
    return OtherEndpoint(time.monotonic, latency_s=float(latency_s), jitter=_JITTER, slots=int(slots))


def _refusing(share: str, wait_ms: str) -> OtherEndpoint:
    random = Random(1)

    def judge(_: float) -> Said:
        return Said(429, {"retry-after-ms": wait_ms}) if random.random() < float(share) else Said()

    return OtherEndpoint(time.monotonic, judge, latency_s=_LATENCY_S, jitter=_JITTER)


def _window(limit: str, seconds: str) -> OtherEndpoint:
    used: dict[int, int] = {}

    def judge(now: float) -> Said:
        window = int(now // float(seconds))
        used[window] = used.get(window, 0) + 1
        left_s = (window + 1) * float(seconds) - now
        headers = _stated(int(limit), max(int(limit) - used[window], 0), f"{left_s:.2f}s")
        return Said(200, headers) if used[window] <= int(limit) else Said(429, {"retry-after": "1", **headers})

    return OtherEndpoint(time.monotonic, judge, latency_s=_LATENCY_S, jitter=_JITTER)


def _day(limit: str) -> OtherEndpoint:
    used = 0

    def judge(_: float) -> Said:
        nonlocal used
        used += 1
        return Said(200, _stated(int(limit), int(limit) - used, f"{86_400 / int(limit) * used:.2f}s"))

    return OtherEndpoint(time.monotonic, judge, latency_s=_LATENCY_S, jitter=_JITTER)


def _stated(limit: int, remaining: int, reset: str) -> dict[str, str]:
    return {
        "x-ratelimit-limit-requests": str(limit),
        "x-ratelimit-remaining-requests": str(remaining),
        "x-ratelimit-reset-requests": reset,
    }


_KINDS: dict[str, Callable[..., OtherEndpoint]] = {
    "queue": _queue,
    "refusing": _refusing,
    "window": _window,
    "day": _day,
}


async def _serve(kind: str, *arguments: str) -> None:
    endpoint = _KINDS[kind](*arguments)
    print(await endpoint.start(), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await endpoint.stop()
    met = endpoint.stats
    print(
        json.dumps(
            {
                "answered": met.statuses[200],
                "refused": met.statuses[429],
                "abandoned": met.abandoned,
                "seconds": met.last_at - met.first_at,
            }
        )
    )


if __name__ == "__main__":
    asyncio.run(_serve(*sys.argv[1:]))
