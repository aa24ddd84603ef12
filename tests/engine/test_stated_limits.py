"""Limit headers have many meanings: the remaining count and refusals decide, not one reading of a reset."""

import email.utils
import math
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from llmbatch.core.errors import ComeBackLater
from llmbatch.observe.events import RateLimited
from tests.engine.other_endpoint import OtherEndpoint, Said
from tests.engine.simulated import documents, run_beside

ROWS = 60
IN_SECONDS = 15.0
UNIX = int(time.time())

Headers = Callable[[int, float], dict[str, str]]
"""Of the requests so far, and the time."""


def date(now: float) -> str:
    return email.utils.formatdate(UNIX + math.floor(now), usegmt=True)


def stated(limit: object, remaining: object, reset: object, kind: str = "-requests") -> dict[str, str]:
    names = (f"x-ratelimit-{part}{kind}" for part in ("limit", "remaining", "reset"))
    return dict(zip(names, map(str, (limit, remaining, reset)), strict=True))


HARMLESS: dict[str, Headers] = {
    "a fixed window": lambda n, now: stated(3000, 3000 - n, round(60 - now % 60)),
    "a day's bucket": lambda n, _: stated(10_000, 10_000 - n, f"{8.64 * n:g}s"),
    "a day's requests beside a minute's tokens": lambda n, _: (
        stated(14_400, 14_400 - n, f"{6 * n}s") | stated(6_000_000, 5_998_500, "15ms", "-tokens")
    ),
    "a reset in Unix seconds": lambda _, now: stated(3000, 2999, UNIX + int(now) + 60),
    "a reset in Unix milliseconds": lambda n, now: stated(3000, 3000 - n, (UNIX + int(now)) * 1000 + 60_000, ""),
    "a reset as a date": lambda n, _: stated(4000, 4000 - n, "2126-01-01T00:00:00Z"),
    "always the same, as if for a minute": lambda _, now: stated(400, 399, UNIX + int(now) + 60),
    "few a day": lambda n, _: stated(300, 300 - n, f"{288 * n}s"),
    "few a day until a date": lambda n, now: stated(
        300, 300 - n, datetime.fromtimestamp(UNIX + int(now) // 86_400 * 86_400 + 86_400, UTC).isoformat()
    ),
    "only what remains": lambda n, _: {"x-ratelimit-remaining-requests": str(max(20 - n, 0))},
    "only a limit": lambda _, __: {"x-ratelimit-limit": "60"},
    "a second's limit": lambda n, now: stated(50, max(49 - n % 7, 0), f"{1 - now % 1:.3f}s"),
    "a limit that nothing uses up": lambda _, __: stated(1, 1, "0s"),
    "nothing remains, and all passes": lambda _, __: stated(100_000, 0, "3600s"),
    "minus one": lambda _, __: stated(-1, -1, 0),
    "the draft of the IETF": lambda n, now: {
        "ratelimit": f'"default";r={5000 - n};t={int(300 - now % 300)}',
        "ratelimit-policy": '"default";q=5000;w=300',
    },
    "Cerebras": lambda n, _: stated(14_400, 14_400 - n, "86399.5", "-requests-day"),
    "words": lambda _, __: stated("plenty", "some", "soon"),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_a_limit_that_is_far_away_delays_no_request(tmp_path: Path, name: str) -> None:
    requests = 0

    def judge(now: float) -> Said:
        nonlocal requests
        requests += 1
        return Said(headers=HARMLESS[name](requests, now) | {"date": date(now)})

    run = run_beside(tmp_path, documents(ROWS), lambda clock: OtherEndpoint(clock, judge))
    assert (run.reason, len(run.lines), run.outcomes) == (None, ROWS, {"ok"})
    assert run.ended_s < IN_SECONDS


def fixed_window(limit: int, window_s: float, reset: Callable[[float], object]) -> Callable[[float], Said]:
    used: dict[int, int] = {}

    def judge(now: float) -> Said:
        window = int(now // window_s)
        left_s = (window + 1) * window_s - now
        used[window] = used.get(window, 0) + 1
        if used[window] > limit:
            return Said(429, {"retry-after": f"{left_s:.3f}", **stated(limit, 0, reset(left_s))})
        return Said(headers=stated(limit, limit - used[window], reset(left_s)))

    return judge


@pytest.mark.parametrize(("limit", "window_s"), [(120, 60.0), (600, 60.0), (50, 10.0), (40, 1.0)])
def test_a_window_is_fully_used_and_rarely_exceeded(tmp_path: Path, limit: int, window_s: float) -> None:
    rows = min(max(int(limit * 2.5), 200), 600)
    run = run_beside(
        tmp_path,
        documents(rows),
        lambda clock: OtherEndpoint(clock, fixed_window(limit, window_s, lambda left_s: f"{left_s:.2f}s")),
    )
    assert (run.reason, len(run.lines), run.outcomes) == (None, rows, {"ok"})
    assert run.statuses.get(429, 0) <= max(0.05 * rows, 3)
    assert run.ended_s < rows / (limit / window_s) * 1.1 + 5 + window_s * 0.2


def bucket(limit: int, reset: Callable[[float, float], object], burst_s: float = 1.0) -> Callable[[float], Said]:
    """Refills by the minute, and refuses requests faster than a second's share, as OpenAI enforces its limits."""
    stand = {"used": 0.0, "at": 0.0, "owed": 0.0}

    def judge(now: float) -> Said:
        gained = (now - stand["at"]) * limit / 60
        stand["at"] = now
        stand["used"], stand["owed"] = max(stand["used"] - gained, 0.0), max(stand["owed"] - gained, 0.0)
        passes = stand["owed"] + 1 <= max(limit / 60 * burst_s, 1.0)
        stand["used"] += passes
        stand["owed"] += passes
        headers = stated(limit, int(limit - stand["used"]), reset(stand["used"] / limit * 60, now))
        return Said(200 if passes else 429, headers | {"date": date(now)})

    return judge


@pytest.mark.parametrize(("limit", "window_s"), [(10, 1.0), (50, 1.0), (100, 1.0), (20, 2.0)])
@pytest.mark.parametrize("reset", ["seconds", "a date", "JavaScript's date"])
def test_a_short_window_in_whole_seconds_is_not_taken_for_a_minute(
    tmp_path: Path, limit: int, window_s: float, reset: str
) -> None:
    """`x-ratelimit-limit: 50`, reset `1`: with one request used, a limit per second and one per minute say the same."""
    written: dict[str, Callable[[float, float], object]] = {
        "seconds": lambda left_s, _: math.ceil(left_s),
        "a date": lambda left_s, now: date(math.ceil(now + left_s)),
        "JavaScript's date": lambda left_s, now: datetime.fromtimestamp(UNIX + math.ceil(now + left_s), UTC).strftime(
            "%a %b %d %Y %H:%M:%S GMT+0000 (Coordinated Universal Time)"
        ),
    }
    used: Counter[int] = Counter()

    def judge(now: float) -> Said:
        window = int(now // window_s)
        used[window] += 1
        left_s = (window + 1) * window_s - now
        headers = stated(limit, max(limit - used[window], 0), written[reset](left_s, now), "") | {"date": date(now)}
        return Said(200 if used[window] <= limit else 429, headers)

    rows = int(limit / window_s * 10)
    run = run_beside(tmp_path, documents(rows), lambda clock: OtherEndpoint(clock, judge))
    assert (run.reason, len(run.lines), run.outcomes) == (None, rows, {"ok"})
    assert run.statuses.get(429, 0) <= 0.05 * rows
    assert run.ended_s < 3 * rows / (limit / window_s)


def only_in_refusals(judge: Callable[[float], Said]) -> Callable[[float], Said]:
    """The same limit, stated only in refusals."""

    def judged(now: float) -> Said:
        reply = judge(now)
        return reply if reply.status == 429 else Said()

    return judged


@pytest.mark.parametrize(
    ("limit", "window_s", "rows"), [(60, 60.0, 150), (60, 1.0, 600), (20, 1.0, 300), (100, 10.0, 600)]
)
def test_a_window_stated_only_in_refusals_is_used_whatever_its_length(
    tmp_path: Path, limit: int, window_s: float, rows: int
) -> None:
    judge = only_in_refusals(fixed_window(limit, window_s, lambda left_s: f"{left_s:.2f}s"))
    run = run_beside(tmp_path, documents(rows), lambda clock: OtherEndpoint(clock, judge))
    assert (run.reason, len(run.lines), run.outcomes) == (None, rows, {"ok"})
    assert run.statuses[429] <= 0.2 * rows
    assert run.ended_s < rows / (limit / window_s) * 1.4 + 5


@pytest.mark.parametrize("limit", [60, 300])
def test_a_bucket_stated_only_in_refusals_with_its_next_slot_as_reset_is_respected(tmp_path: Path, limit: int) -> None:
    """`limit 60, remaining 0, reset 1s`: of 60 a minute, one more passes in a second."""
    judge = only_in_refusals(bucket(limit, lambda _, __: f"{60 / limit:g}s"))
    run = run_beside(tmp_path, documents(100), lambda clock: OtherEndpoint(clock, judge))
    assert (run.reason, len(run.lines), run.outcomes) == (None, 100, {"ok"})
    assert run.statuses[429] <= 10
    assert run.ended_s < 100 / (limit / 60) * 1.1 + 5


RESETS: dict[str, Callable[[float, float], object]] = {
    "a duration": lambda full_s, _: f"{full_s * 1000:.0f}ms",
    "whole seconds": lambda full_s, _: math.ceil(full_s),
    "a date": lambda full_s, now: datetime.fromtimestamp(UNIX + math.ceil(now + full_s), UTC).isoformat(),
}


@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("limit", [50, 600, 3000])
def test_a_bucket_that_fills_by_the_minute_is_used_evenly(tmp_path: Path, limit: int, reset: str) -> None:
    rows = min(limit, 200)
    run = run_beside(tmp_path, documents(rows), lambda clock: OtherEndpoint(clock, bucket(limit, RESETS[reset])))
    assert (run.reason, len(run.lines), run.outcomes) == (None, rows, {"ok"})
    assert run.statuses.get(429, 0) <= max(0.02 * rows, 4)
    assert run.ended_s < rows / (limit / 60) * 1.08 + 5


def test_no_wait_stated_in_headers_is_longer_than_max_wait(tmp_path: Path) -> None:
    headers = stated(1, 0, "60s")
    run = run_beside(
        tmp_path, documents(6), lambda clock: OtherEndpoint(clock, lambda _: Said(headers=headers)), max_wait_s=5
    )
    assert (run.reason, run.outcomes) == (None, {"ok"})
    assert run.ended_s < 6 * 6
    assert [event.message for event in run.events if isinstance(event, RateLimited)] == [
        "limited by: 1 request/min, stated by the endpoint"
    ]


def test_an_exhausted_daily_limit_ends_the_run_instead_of_hanging_it(tmp_path: Path) -> None:
    left = 20

    def judge(_: float) -> Said:
        nonlocal left
        left -= 1
        headers = stated(1000, max(left, 0), f"{86.4 * (1000 - max(left, 0)):.0f}s")
        return Said(headers=headers) if left >= 0 else Said(429, {"retry-after": "900", **headers})

    run = run_beside(tmp_path, documents(60), lambda clock: OtherEndpoint(clock, judge), max_wait_s=600)
    assert isinstance(run.reason, ComeBackLater)
    assert sum(line.status == "ok" for line in run.lines) == 20
    assert run.ended_s < 30
