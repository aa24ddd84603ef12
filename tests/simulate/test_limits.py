import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.provider.waits import parse_duration_s
from llmbatch.simulate.limits import Limits, TokenBucket, as_duration
from tests.simulate.endpoint import Endpoint, on_endpoint


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def limited(endpoint: Endpoint) -> openai.RateLimitError:
    with pytest.raises(openai.RateLimitError) as caught:
        await endpoint.ask()
    return caught.value


def test_requests_over_the_limit_get_a_wait_time() -> None:
    clock = Clock()

    async def scenario(endpoint: Endpoint) -> None:
        await endpoint.ask()
        await endpoint.ask()
        error = await limited(endpoint)
        assert (error.code, error.type) == ("rate_limit_exceeded", "requests")
        assert "Limit 120, Used 120, Requested 1. Please try again in 500ms." in error.message
        headers = error.response.headers
        assert (headers["retry-after-ms"], headers["retry-after"]) == ("500", "1")
        assert headers["x-ratelimit-limit-requests"] == "120"
        assert headers["x-ratelimit-remaining-requests"] == "0"
        assert headers["x-ratelimit-reset-requests"] == "1s"
        clock.now += 0.5
        await endpoint.ask()
        await limited(endpoint)

    on_endpoint(scenario, clock=clock, rpm=120)


def test_the_output_limit_counts_in_full_towards_tokens() -> None:
    clock = Clock()

    async def scenario(endpoint: Endpoint) -> None:
        await endpoint.ask(max_completion_tokens=3000)
        error = await limited(endpoint)
        assert error.type == "tokens"
        clock.now += 600
        await endpoint.ask()
        await endpoint.ask()

    on_endpoint(scenario, clock=clock, tpm=60_000)


def test_a_request_larger_than_the_limit_gets_its_own_error() -> None:
    async def scenario(endpoint: Endpoint) -> None:
        error = await limited(endpoint)
        assert "Request too large" in error.message
        assert "retry-after" not in error.response.headers

    on_endpoint(scenario, tpm=100)


def test_a_rate_limited_request_draws_no_fault_and_uses_no_tokens() -> None:
    async def scenario(endpoint: Endpoint) -> None:
        await endpoint.ask()
        await limited(endpoint)
        stats = endpoint.simulator.stats
        assert (stats.requests, stats.statuses) == (2, {200: 1, 429: 1})
        assert stats.faults == {"wrapped": 1}
        assert stats.ask("another") == 1
        assert list(stats.questions.values()) == [1, 1]

    on_endpoint(scenario, "wrapped=100%", clock=Clock(), rpm=60)


@given(st.integers(1, 100_000), st.lists(st.integers(1, 5000), min_size=1, max_size=60))
def test_a_bucket_keeps_its_rate_for_any_request_sizes(per_minute: int, needs: list[int]) -> None:
    clock = Clock()
    bucket = TokenBucket(per_minute, clock=clock)
    for need in needs:
        clock.now += bucket.wait_s(need)
        assert bucket.wait_s(need) == 0
        bucket.take(need)
    burst = max(per_minute / 60, 1.0)
    assert sum(needs[:-1]) <= clock.now * per_minute / 60 + burst + 1e-3


@given(st.floats(0, 100_000))
def test_durations_are_read_back_unchanged(seconds: float) -> None:
    assert parse_duration_s(as_duration(seconds)) == pytest.approx(seconds, abs=0.06, rel=1e-4)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.012, "12ms"), (1, "1s"), (1.5, "1.5s"), (360, "6m0s"), (59.9996, "1m0s"), (3661, "1h1m1s")],
)
def test_durations_are_written_as_openai_writes_them(seconds: float, text: str) -> None:
    assert as_duration(seconds) == text


def test_unset_limits_let_everything_pass() -> None:
    limits = Limits(None, None, clock=Clock())
    assert all(limits.take(10**9) is None for _ in range(1000))
