"""Other providers' rate limits, refusals and queues, over real sockets: all rows, with no superfluous request."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import formatdate

import pytest

from tests.e2e.program import Done, Program, documents, write_rows
from tests.e2e.scripted import Asked, Reply, answer, is_row, scripted

ROWS = 60


def stated(limit: object, remaining: object, reset: object, kind: str = "-requests") -> dict[str, str]:
    names = (f"x-ratelimit-{part}{kind}" for part in ("limit", "remaining", "reset"))
    return dict(zip(names, map(str, (limit, remaining, reset)), strict=True))


def classified(llmbatch: Program, url: str, *arguments: str, rows: int = ROWS) -> Done:
    write_rows(llmbatch.folder / "docs.jsonl", documents(rows))
    return llmbatch(
        "classify", "docs.jsonl", "--base-url", url, "--model", "m", "--json", *arguments, OPENAI_API_KEY="k"
    )


HARMLESS: dict[str, Callable[[int], dict[str, str]]] = {
    "a fixed window": lambda n: stated(3000, 3000 - n, f"{60 - int(time.time()) % 60}s"),
    "a reset in Unix seconds, never nearer": lambda _: stated(400, 399, int(time.time()) + 60),
    "OpenRouter, a reset in Unix milliseconds": lambda n: stated(600, 600 - n, int(time.time() * 1000) + 60_000, ""),
    "Anthropic": lambda _: {
        "anthropic-ratelimit-requests-limit": "4000",
        "anthropic-ratelimit-requests-remaining": "3999",
        "anthropic-ratelimit-requests-reset": datetime.fromtimestamp(time.time() + 1, UTC).isoformat(),
    },
    "OpenAI, a day's bucket": lambda n: stated(200, 200 - n, f"{432 * n}s"),
    "the IETF's draft": lambda n: {
        "RateLimit": f'"burst";r=90;t=1, "day";r={1000 - n};t=5000',
        "RateLimit-Policy": '"burst";q=100;w=1, "day";q=1000;w=86400',
    },
    "GitHub's models": lambda n: {
        "x-ratelimit-limit-requests": "150",
        "x-ratelimit-remaining-requests": str(150 - n),
        "x-ratelimit-renewalperiod-requests": "86400",
        "x-ratelimit-timeremaining": "86000",
        "x-ratelimit-type": "UserByModelByDay",
    },
    "Azure, only what remains": lambda n: {
        "x-ratelimit-remaining-requests": str(max(30 - n, 0)),
        "x-ratelimit-remaining-tokens": "0",
    },
}


@pytest.mark.parametrize("name", HARMLESS)
def test_a_distant_limit_costs_no_request_and_is_not_reported(llmbatch: Program, name: str) -> None:
    with scripted(lambda asked: replace(answer(), headers=HARMLESS[name](asked.number))) as endpoint:
        done = classified(llmbatch, endpoint.url)
    assert (done.code, done.json["rows"]["ok"], len(endpoint.asked)) == (0, ROWS, ROWS)
    assert "Z limited by" not in done.err


REFUSALS: dict[str, Callable[[], Reply]] = {
    "milliseconds": lambda: Reply(429, {"error": {"message": "slow down"}}, {"retry-after-ms": "50"}),
    "a date": lambda: Reply(429, "", {"retry-after": formatdate(time.time() + 1, usegmt=True)}),
    "a date that has passed": lambda: Reply(429, "", {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}),
    "no header": lambda: Reply(429, {"error": {"message": "Too many requests"}}),
    "a limit that is used up": lambda: Reply(429, "", stated(60, 0, "1s")),
    "a 200": lambda: Reply(200, {"error": {"message": "Rate limit exceeded: free-models-per-min.", "code": 429}}),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refused_row_is_sent_once_more(llmbatch: Program, name: str) -> None:
    def script(asked: Asked) -> Reply:
        return REFUSALS[name]() if asked.times == 1 and is_row(asked, 19, 39, 59) else answer()

    with scripted(script) as endpoint:
        done = classified(llmbatch, endpoint.url, "--retry-wait-min", "0.05", "--retry-wait-max", "0.1")
    assert (done.code, done.json["rows"]["ok"], len(endpoint.asked)) == (0, ROWS, ROWS + 3)


def test_a_limit_exhausted_for_longer_than_max_wait_ends_the_run(llmbatch: Program) -> None:
    def script(asked: Asked) -> Reply:
        left = max(10 - asked.number, 0)
        headers = stated(1000, left, f"{86.4 * (1000 - left):.0f}s")
        return replace(answer(), headers=headers) if left else Reply(429, "", headers)

    with scripted(script) as endpoint:
        done = classified(
            llmbatch, endpoint.url, "--max-wait", "2", "--retry-wait-min", "0.5", "--retry-wait-max", "0.5"
        )
    assert (done.code, done.json["rows"]["ok"]) == (7, 9)
    assert "--max-wait" in done.err


def test_the_limit_that_throttles_the_run_is_reported_once(llmbatch: Program) -> None:
    with scripted(lambda _: replace(answer(), headers=stated(300, 299, "200ms"))) as endpoint:
        done = classified(llmbatch, endpoint.url, rows=16)
    assert done.code == 0
    assert done.err.count("Z limited by: 300 requests/min, stated by the endpoint\n") == 1


@pytest.mark.parametrize("slots", [1, 4])
def test_concurrency_stays_low_against_a_server_that_queues(llmbatch: Program, slots: int) -> None:
    places, lock, here, most = threading.Semaphore(slots), threading.Lock(), 0, list[int]()

    def script(_: Asked) -> Reply:
        nonlocal here
        with lock:
            here += 1
            most.append(here)
        with places:
            time.sleep(0.03)
        with lock:
            here -= 1
        return answer()

    with scripted(script) as endpoint:
        done = classified(llmbatch, endpoint.url)
    assert (done.code, len(endpoint.asked)) == (0, ROWS)
    assert max(most[ROWS // 2 :]) <= 8 * slots + 8, "even on a busy machine"
