"""Estimated time and what limits the run."""

import pytest

from llmbatch.estimate.time import Speed, time_needed

NOTHING = Speed()


@pytest.mark.parametrize(
    ("given", "earlier", "seconds", "why"),
    [
        (Speed(requests_per_s=10), NOTHING, 60.0, "limited by 600 requests/min (--rpm)"),
        (Speed(requests_per_s=10, tokens_per_s=10_000), NOTHING, 96.0, "limited by 600,000 tokens/min (--tpm)"),
        (
            NOTHING,
            Speed(requests_per_s=5),
            120.0,
            "limited by 300 requests/min (as reported by the endpoint in this run's last session)",
        ),
        (Speed(requests_per_s=10), Speed(requests_per_s=5), 60.0, "limited by 600 requests/min (--rpm)"),
        (Speed(concurrency=6), NOTHING, 100.0, "6 in flight, 1 s per answer (assumed; nothing measured yet)"),
        (Speed(concurrency=6), Speed(answer_s=0.5), 50.0, "6 in flight, 0.5 s per answer (measured in this run)"),
        (NOTHING, Speed(measured_per_s=20), 30.0, "20.0 requests/s, as in this run's last session"),
        (
            NOTHING,
            NOTHING,
            37.5,
            (
                "assuming 16 requests in flight and 1 s per answer, since no limits are known yet: "
                "set --rpm, --tpm or --concurrency"
            ),
        ),
    ],
)
def test_the_tightest_limit_gives_the_time(given: Speed, earlier: Speed, seconds: float | None, why: str) -> None:
    needed = time_needed(600, 960_000, given, earlier)
    assert (needed.seconds, needed.why) == (seconds, why)
    assert needed.is_assumed == (given == earlier == NOTHING)


def test_no_requests_take_no_time() -> None:
    assert time_needed(0, 0, NOTHING, NOTHING).seconds == 0
