import asyncio
from typing import Any

import pytest
from openai import BadRequestError

from llmbatch.core.models import AUTOMATIC_CACHING, MARKED_CACHING
from llmbatch.simulate.prompt_cache import MESSAGE_OVERHEAD, Mark, PromptCache, PromptDigest
from llmbatch.task.model import Task
from tests.simulate.endpoint import DOCUMENTS, LONG_TASK, TASK, Endpoint, on_endpoint, question


def marked(document: str, *, task: Task = LONG_TASK) -> dict[str, Any]:
    """The request changes that mark the end of its prefix."""
    system, user = question(document, task=task)["messages"]
    part = {"type": "text", "text": system["content"], "prompt_cache_breakpoint": {"mode": "explicit"}}
    return {
        "model": "gpt-6-luna",
        "messages": [{"role": "system", "content": [part]}, user],
        "extra_body": {"prompt_cache_options": {"mode": "explicit"}},
    }


class Clock:
    """A clock that a test sets."""

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
    assert first == (0, 0), "cache writes of an older model are free"
    assert second == third
    assert second[0] >= 1024
    assert second[0] % 128 == 0


def test_prompts_share_their_common_prefix() -> None:
    async def scenario(endpoint: Endpoint) -> list[int]:
        beginning = "Read the whole of it before you judge. " * 150
        tasks = [TASK.model_copy(update={"instructions": beginning + end}) for end in ("Be kind.", "Be strict.")]
        return [(await details(endpoint, messages=question("x", task=task)["messages"]))[0] for task in tasks]

    first, second = on_endpoint(scenario)
    assert first == 0
    assert second >= 1024


def test_a_marked_prefix_is_cached_to_the_token_and_its_writing_is_reported() -> None:
    async def scenario(endpoint: Endpoint) -> list[tuple[int, int]]:
        return [await details(endpoint, document, **marked(document)) for document in DOCUMENTS[:3]]

    first, second, third = on_endpoint(scenario)
    assert first[0] == 0
    assert first[1] > 1024
    assert first[1] % 128
    assert second == third == (first[1], 0)


def test_without_a_mark_a_newer_model_caches_whole_prompts_and_hits_only_on_the_same_one() -> None:
    async def scenario(endpoint: Endpoint) -> list[tuple[int, int]]:
        asked = (DOCUMENTS[0], DOCUMENTS[1], DOCUMENTS[0])
        return [await details(endpoint, document, model="gpt-6-luna") for document in asked]

    first, second, again = on_endpoint(scenario)
    assert (first[0], second[0]) == (0, 0)
    assert min(first[1], second[1]) > 1024
    assert again == (first[1], 0)


def test_explicit_mode_without_a_mark_or_with_a_short_prefix_caches_nothing() -> None:
    async def scenario(endpoint: Endpoint) -> list[tuple[int, int]]:
        explicit = {"model": "gpt-6-luna", "extra_body": {"prompt_cache_options": {"mode": "explicit"}}}
        short = marked(DOCUMENTS[0], task=TASK)
        return [await details(endpoint, **body) for body in (explicit, explicit, short, short)]

    assert on_endpoint(scenario) == [(0, 0)] * 4


def test_requests_with_another_key_use_another_cache() -> None:
    async def scenario(endpoint: Endpoint) -> list[int]:
        keys = ("one", "two", "one")
        return [(await details(endpoint, **marked(DOCUMENTS[0]), prompt_cache_key=key))[0] for key in keys]

    first, other, again = on_endpoint(scenario)
    assert first == other == 0 < again


@pytest.mark.parametrize("model", ["gpt-5.4-mini", "gpt-4o-mini"])
def test_an_older_model_accepts_no_breakpoints(model: str) -> None:
    async def scenario(endpoint: Endpoint) -> None:
        with pytest.raises(BadRequestError, match="Unsupported parameter: 'prompt_cache_options'"):
            await details(endpoint, **marked(DOCUMENTS[0]) | {"model": model})

    on_endpoint(scenario)


def test_requests_sent_before_the_first_answer_all_pay_in_full() -> None:
    async def scenario(endpoint: Endpoint) -> list[tuple[int, int]]:
        found = await asyncio.gather(*(details(endpoint, document) for document in DOCUMENTS[:5]))
        return [*found, await details(endpoint)]

    *together, after = on_endpoint(scenario, latency_s=0.2, jitter=0.0)
    assert {cached for cached, _ in together} == {0}
    assert after[0] > 0


def test_a_prefix_below_the_minimum_is_never_cached() -> None:
    async def scenario(endpoint: Endpoint) -> None:
        for _ in range(2):
            usage = (await endpoint.ask()).usage
            assert usage is not None
            assert usage.prompt_tokens_details is not None
            assert usage.prompt_tokens_details.cached_tokens == 0

    on_endpoint(scenario)


def test_another_model_or_schema_has_a_separate_cache() -> None:
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
    cache = PromptCache(ttl_s=None, clock=clock)
    marks = [Mark(b"a", 1024), Mark(b"b", 1408)]
    cache.write(cache.look_up("owner", marks, AUTOMATIC_CACHING))
    for now, cached in ((299, 1408), (598, 1408), (899, 0)):
        clock.now = now
        use = cache.look_up("owner", marks, AUTOMATIC_CACHING)
        assert use.cached_tokens == cached
        cache.write(use)


@pytest.mark.parametrize(("now", "cached"), [(1800, 1500), (1801, 0)])
def test_a_marked_entry_lives_for_half_an_hour(now: float, cached: int) -> None:
    clock = Clock()
    cache = PromptCache(ttl_s=None, clock=clock)
    cache.write(cache.look_up("owner", [Mark(b"a", 1500)], MARKED_CACHING))
    clock.now = now
    use = cache.look_up("owner", [Mark(b"a", 1500)], MARKED_CACHING)
    assert (use.cached_tokens, use.write_tokens) == (cached, 1500 - cached)


@pytest.mark.parametrize(("tokens", "marks"), [(1023, []), (1024, [1024]), (1151, [1024]), (1152, [1024, 1152])])
def test_the_minimum_is_1024_tokens_and_the_step_is_128(tokens: int, marks: list[int]) -> None:
    digest = PromptDigest(AUTOMATIC_CACHING)
    digest.add("system", " word" * (tokens - MESSAGE_OVERHEAD))
    assert digest.tokens == tokens
    assert [mark.tokens for mark in digest.marks] == marks
