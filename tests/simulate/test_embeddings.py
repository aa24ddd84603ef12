"""The offline endpoint's embeddings, through the SDK."""

import math
from typing import Any

import openai
import pytest
from openai import AsyncAzureOpenAI

from tests.simulate.endpoint import Endpoint, on_endpoint

TEXTS = ["My card has not arrived.", "The card did not arrive yet.", "Exchange rates for euros"]


def embedded(texts: Any, *, settings: dict[str, Any] | None = None, **options: Any) -> Any:
    async def scenario(endpoint: Endpoint) -> Any:
        return await endpoint.client.embeddings.create(model="m", input=texts, **options)

    return on_endpoint(scenario, **(settings or {}))


def cosine(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("options", [{}, {"encoding_format": "float"}, {"encoding_format": "base64"}])
def test_similar_texts_have_similar_vectors(options: dict[str, Any]) -> None:
    answer = embedded(TEXTS, **options)
    assert [one.index for one in answer.data] == [0, 1, 2]
    assert answer.usage.prompt_tokens == answer.usage.total_tokens > 10
    if options.get("encoding_format") != "base64":  # the SDK does not decode an explicitly requested format
        near, far, other = [one.embedding for one in answer.data]
        assert cosine(near, near) == pytest.approx(1, abs=1e-3)
        assert cosine(near, far) > cosine(near, other) + 0.2


def test_a_single_text_and_a_text_without_words_have_vectors() -> None:
    assert len(embedded("one").data) == 1
    assert math.hypot(*embedded("!").data[0].embedding) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("texts", [[], "", ["a", ""], [1], ["a"] * 2_049])
def test_invalid_embedding_inputs_are_refused(texts: Any) -> None:
    with pytest.raises(openai.BadRequestError, match="input' is invalid"):
        embedded(texts)


def test_a_text_beyond_the_window_is_refused() -> None:
    with pytest.raises(openai.BadRequestError, match="maximum context length is 8192"):
        embedded(["a", "word " * 9_000])


def test_keys_models_limits_and_faults_work_as_for_completions() -> None:
    with pytest.raises(openai.AuthenticationError):
        embedded("a", settings={"api_key": "other"})
    with pytest.raises(openai.NotFoundError):
        embedded("a", settings={"models": ("n",)})

    async def twice(endpoint: Endpoint) -> Any:
        for _ in range(2):
            await endpoint.client.embeddings.create(model="m", input="a")

    with pytest.raises(openai.RateLimitError):
        on_endpoint(twice, rpm=1)
    with pytest.raises(openai.InternalServerError):
        on_endpoint(twice, "server_error@2")


def test_azure_names_the_model_in_the_path() -> None:
    async def scenario(endpoint: Endpoint) -> Any:
        async with AsyncAzureOpenAI(
            azure_endpoint=endpoint.url.removesuffix("/v1"), api_version="2024-10-21", api_key="k", max_retries=0
        ) as client:
            return (await client.embeddings.create(model="dep", input="a")).model

    assert on_endpoint(scenario) == "dep"
