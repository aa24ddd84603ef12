import asyncio
from typing import Any

from llmbatch.simulate.prompt_cache import PromptCache
from tests.simulate.endpoint import DOCUMENTS, LONG_TASK, Endpoint, on_endpoint, question


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def details(endpoint: Endpoint, document: str = DOCUMENTS[0], **changes: Any) -> tuple[int, int]:
    """Cached and written tokens of one request."""
    completion = await endpoint.ask(**question(document, task=LONG_TASK) | changes)
    assert completion.usage is not None
    tokens = completion.usage.prompt_tokens_details
    assert tokens is not None
    return tokens.cached_tokens or 0, tokens.cache_write_tokens or 0


def test_a_prefix_is_cached_in_steps_of_128_once_it_was_answered() -> None:
    async def scenario(endpoint: Endpoint) -> list[tuple[int, int]]:
        return [await details(endpoint, document) for document in DOCUMENTS[:3]]

    first, second, third = on_endpoint(scenario)
    assert first[0] == 0
    assert first[1] >= 1024
    assert first[1] % 128 == 0
    assert second == third == (first[1], 0)


def test_requests_sent_before_the_first_answer_all_pay_in_full() -> None:
    async def scenario(endpoint: Endpoint) -> list[tuple[int, int]]:
        found = await asyncio.gather(*(details(endpoint, document) for document in DOCUMENTS[:5]))
        return [*found, await details(endpoint)]

    *together, after = on_endpoint(scenario, latency_s=0.2, jitter=0.0)
    assert {cached for cached, _ in together} == {0}
    assert after[0] > 0


def test_a_prefix_below_the_floor_is_never_cached() -> None:
    async def scenario(endpoint: Endpoint) -> None:
        for _ in range(2):
            usage = (await endpoint.ask()).usage
            assert usage is not None
            assert usage.prompt_tokens_details is not None
            assert usage.prompt_tokens_details.cached_tokens == 0

    on_endpoint(scenario)


def test_another_model_or_schema_has_a_cache_of_its_own() -> None:
    async def scenario(endpoint: Endpoint) -> None:
        await details(endpoint)
        assert (await details(endpoint, model="gpt-4o"))[0] == 0
        assert (await details(endpoint, response_format=None))[0] == 0
        assert (await details(endpoint))[0] > 0

    on_endpoint(scenario)


def test_an_error_writes_nothing_to_the_cache() -> None:
    async def scenario(endpoint: Endpoint) -> None:
        assert (await asyncio.gather(details(endpoint), return_exceptions=True))[0]
        assert (await details(endpoint))[0] == 0
        assert (await details(endpoint))[0] > 0

    on_endpoint(scenario, "server_error@1")


def test_an_entry_lives_as_long_as_it_is_used() -> None:
    clock = Clock()
    cache = PromptCache(ttl_s=300, clock=clock)
    cache.write(cache.look_up("key", 1500))
    clock.now = 299
    use = cache.look_up("key", 1500)
    assert (use.cached_tokens, use.write_tokens) == (1408, 0)
    cache.write(use)
    clock.now = 598
    assert cache.look_up("key", 1500).cached_tokens == 1408
    clock.now = 600
    assert cache.look_up("key", 1500).cached_tokens == 0


def test_the_floor_is_1024_tokens() -> None:
    cache = PromptCache(ttl_s=300, clock=Clock())
    assert cache.look_up("key", 1023).write_tokens == 0
    assert cache.look_up("key", 1024).write_tokens == 1024
    assert cache.look_up("key", 1151).write_tokens == 1024
    assert cache.look_up("key", 1152).write_tokens == 1152
