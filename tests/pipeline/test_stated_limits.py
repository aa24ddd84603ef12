"""Limit headers have many meanings: what remains and what is refused counts, not one reading of a reset."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from llmbatch.errors import ComeBackLater
from tests.pipeline.other_endpoint import OtherEndpoint, Said
from tests.pipeline.simulated import documents, run_beside

ROWS = 200
IN_SECONDS = 15.0
UNIX = int(time.time())

Headers = Callable[[int, float], dict[str, str]]
"""Of the requests so far, and the time."""


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
def test_a_limit_that_is_far_away_holds_nobody(tmp_path: Path, name: str) -> None:
    requests = 0

    def judge(now: float) -> Said:
        nonlocal requests
        requests += 1
        return Said(headers=HARMLESS[name](requests, now))

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
def test_a_window_is_used_and_hardly_ever_overrun(tmp_path: Path, limit: int, window_s: float) -> None:
    rows = min(int(limit * 2.5), 600)
    run = run_beside(
        tmp_path,
        documents(rows),
        lambda clock: OtherEndpoint(clock, fixed_window(limit, window_s, lambda left_s: f"{left_s:.2f}s")),
    )
    assert (run.reason, len(run.lines), run.outcomes) == (None, rows, {"ok"})
    assert run.statuses.get(429, 0) <= max(0.05 * rows, 3)
    assert run.ended_s < rows / (limit / window_s) * 1.1 + 3 + window_s * 0.2


def test_a_day_that_is_used_up_ends_the_run_instead_of_hanging_it(tmp_path: Path) -> None:
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
