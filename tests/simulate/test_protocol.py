import asyncio
import json
import math
import urllib.error
import urllib.request
from enum import Enum
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import AsyncAzureOpenAI
from pydantic import BaseModel

from llmbatch.simulate import SimulatorSettings
from llmbatch.simulate.chat import _latency_s
from llmbatch.task.fence import build_document
from llmbatch.task.prefix import build_prefix
from llmbatch.tokens import count_tokens
from tests.simulate.endpoint import DOCUMENTS, SCHEMA, TASK, Endpoint, on_endpoint, question

RECORDED = Path(__file__).parents[1] / "provider" / "wire" / "200-api-openai-com-002.json"


def fetch(url: str, method: str = "GET") -> tuple[int, Any]:
    request = urllib.request.Request(url, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_an_answer_is_a_label_of_the_schema_with_a_confidence() -> None:
    completion = on_endpoint(lambda endpoint: endpoint.ask("Revenue and profit rose."))
    answer = json.loads(completion.choices[0].message.content or "")
    assert list(answer) == list(SCHEMA["properties"])
    assert answer["category"] == "business"
    assert 30 < answer["percent"] <= 99


def test_a_completion_has_every_key_that_openai_sends() -> None:
    async def scenario(endpoint: Endpoint) -> Any:
        answer = await endpoint.client.chat.completions.with_raw_response.create(**question(DOCUMENTS[0]))
        return json.loads(answer.text)

    def keys(value: Any, path: str = "") -> set[str]:
        if isinstance(value, list):
            return set().union(*(keys(item, path) for item in value))
        if isinstance(value, dict):
            return {f"{path}/{key}" for key in value}.union(*(keys(v, f"{path}/{k}") for k, v in value.items()))
        return set()

    recorded = json.loads(RECORDED.read_text())["body"]
    assert keys(recorded) <= keys(on_endpoint(scenario))


def test_headers_contain_a_request_id_and_generous_limits() -> None:
    async def scenario(endpoint: Endpoint) -> Any:
        return await endpoint.client.chat.completions.with_raw_response.create(**question(DOCUMENTS[0]))

    answer = on_endpoint(scenario)
    assert answer.request_id.startswith("req_")
    assert answer.headers["openai-version"] == "2020-10-01"
    assert int(answer.headers["openai-processing-ms"]) >= 0
    assert answer.headers["x-ratelimit-limit-requests"] == "600000"
    assert answer.headers["x-ratelimit-remaining-requests"] == "599999"
    assert answer.headers["x-ratelimit-limit-tokens"] == "10000000000"


def test_tokens_are_counted_as_the_provider_counts_them() -> None:
    completion = on_endpoint(lambda endpoint: endpoint.ask())
    usage = completion.usage
    assert usage is not None
    texts = [build_prefix(TASK), build_document(DOCUMENTS[0])]
    assert usage.prompt_tokens == sum(count_tokens(text) + 4 for text in texts) + 3
    assert usage.completion_tokens == count_tokens(completion.choices[0].message.content or "")
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


def test_an_answer_longer_than_its_limit_is_cut_at_it() -> None:
    completion = on_endpoint(lambda endpoint: endpoint.ask(max_completion_tokens=5))
    content = completion.choices[0].message.content or ""
    assert completion.choices[0].finish_reason == "length"
    assert count_tokens(content) == 5
    assert completion.usage is not None
    assert completion.usage.completion_tokens == 5


def test_the_same_question_gets_the_same_answer() -> None:
    async def scenario(endpoint: Endpoint) -> list[str | None]:
        completions = await asyncio.gather(*(endpoint.ask() for _ in range(8)))
        assert len({completion.id for completion in completions}) == 8
        return [completion.choices[0].message.content for completion in completions]

    assert len({*on_endpoint(scenario), *on_endpoint(scenario)}) == 1


@pytest.mark.parametrize("form", [None, {"type": "json_object"}, {"type": "text"}])
def test_without_a_schema_the_labels_are_read_from_the_prompt(form: dict[str, str] | None) -> None:
    completion = on_endpoint(lambda endpoint: endpoint.ask("Revenue and profit rose.", response_format=form))
    assert json.loads(completion.choices[0].message.content or "")["category"] == "business"


def test_reasoning_is_placed_where_the_schema_has_it() -> None:
    schema = TASK.label_space.answer_schema(reasoning=True)
    form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    completion = on_endpoint(lambda endpoint: endpoint.ask(response_format=form))
    answer = json.loads(completion.choices[0].message.content or "")
    assert list(answer) == ["reasoning", "category", "percent"]
    assert "technical" in answer["reasoning"]


def test_reasoning_is_given_when_only_the_prompt_asks_for_it() -> None:
    messages = [
        {"role": "system", "content": build_prefix(TASK, reasoning=True)},
        {"role": "user", "content": DOCUMENTS[0]},
    ]
    completion = on_endpoint(lambda endpoint: endpoint.ask(messages=messages, response_format=None))
    assert list(json.loads(completion.choices[0].message.content or "")) == ["reasoning", "category", "percent"]


def test_another_label_key_is_taken_from_the_schema() -> None:
    schema = {"type": "object", "properties": {"mood": {"type": "string", "enum": ["happy mood", "sad mood"]}}}
    form = {"type": "json_schema", "json_schema": {"name": "mood", "schema": schema}}
    messages = [{"role": "developer", "content": "Which mood?"}, {"role": "user", "content": "Such a sad day"}]
    completion = on_endpoint(lambda endpoint: endpoint.ask(messages=messages, response_format=form))
    assert json.loads(completion.choices[0].message.content or "") == {"mood": "sad mood"}


def test_the_sdks_own_parsing_into_a_pydantic_model_works() -> None:
    class Mood(Enum):
        HAPPY = "happy mood"
        SAD = "sad mood"

    class Answer(BaseModel):
        category: Mood
        confidence: float

    async def scenario(endpoint: Endpoint) -> Any:
        return await endpoint.client.chat.completions.parse(
            model="gpt-4o-mini", messages=[{"role": "user", "content": "Such a sad day"}], response_format=Answer
        )

    assert on_endpoint(scenario).choices[0].message.parsed.category is Mood.SAD


def test_content_in_parts_is_read_as_one_text() -> None:
    parts = [{"type": "text", "text": "Revenue and "}, {"type": "text", "text": "profit rose."}]
    messages = [{"role": "system", "content": build_prefix(TASK)}, {"role": "user", "content": parts}]
    completion = on_endpoint(lambda endpoint: endpoint.ask(messages=messages))
    assert json.loads(completion.choices[0].message.content or "")["category"] == "business"


def test_azure_is_served_by_deployment_with_its_own_key_header() -> None:
    async def scenario(endpoint: Endpoint) -> None:
        root = endpoint.url.removesuffix("/v1")
        async with AsyncAzureOpenAI(
            azure_endpoint=root, api_key="azure-key", api_version="2024-10-21", max_retries=0
        ) as client:
            completion = await client.chat.completions.create(**question(DOCUMENTS[0]) | {"model": "my-gpt"})
            assert completion.model == "my-gpt"
        async with AsyncAzureOpenAI(
            azure_endpoint=root, api_key="wrong", api_version="2024-10-21", max_retries=0
        ) as client:
            with pytest.raises(openai.AuthenticationError) as caught:
                await client.chat.completions.create(**question(DOCUMENTS[0]))
            assert caught.value.code == "401"

    on_endpoint(scenario, api_key="azure-key")


def test_a_wrong_key_is_refused_and_its_first_and_last_characters_are_echoed() -> None:
    async def scenario(endpoint: Endpoint) -> openai.AuthenticationError:
        with pytest.raises(openai.AuthenticationError) as caught:
            await endpoint.ask()
        return caught.value

    error = on_endpoint(scenario, api_key="sk-right", key="sk-wrong-and-long-wxyz")
    assert error.code == "invalid_api_key"
    assert "sk-***************wxyz" in error.message


def test_only_the_named_models_exist_if_any_are_named() -> None:
    async def scenario(endpoint: Endpoint) -> None:
        assert [model.id async for model in endpoint.client.models.list()] == ["gpt-4o-mini"]
        assert (await endpoint.client.models.retrieve("gpt-4o-mini")).id == "gpt-4o-mini"
        await endpoint.ask()
        with pytest.raises(openai.NotFoundError) as caught:
            await endpoint.ask(model="gpt-nonexistent")
        assert caught.value.code == "model_not_found"

    on_endpoint(scenario, models=("gpt-4o-mini",))


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("GET", "/v1/nothing", 404, "Invalid URL (GET /v1/nothing)"),
        ("GET", "/v1/chat/completions", 405, "Not allowed to GET"),
        ("POST", "/v1/models", 405, "Not allowed to POST"),
    ],
)
def test_other_paths_and_methods_get_openais_errors(method: str, path: str, status: int, words: str) -> None:
    async def scenario(endpoint: Endpoint) -> tuple[int, Any]:
        return await asyncio.to_thread(fetch, endpoint.url.removesuffix("/v1") + path, method)

    code, body = on_endpoint(scenario)
    assert code == status
    assert words in body["error"]["message"]


def test_statistics_are_served_and_reset() -> None:
    async def scenario(endpoint: Endpoint) -> None:
        root = endpoint.url.removesuffix("/v1")
        await endpoint.ask(DOCUMENTS[0])
        await endpoint.ask(DOCUMENTS[1])
        await endpoint.ask(DOCUMENTS[1])
        _, stats = await asyncio.to_thread(fetch, f"{root}/_stats?questions")
        assert (stats["requests"], stats["statuses"], stats["faults"]) == (3, {"200": 3}, {})
        assert (stats["distinct_questions"], stats["most_asked"], stats["most_in_flight"]) == (2, 2, 1)
        assert sorted(stats["questions"].values()) == [1, 2]
        assert stats["in_flight"] == 0
        assert await asyncio.to_thread(fetch, f"{root}/_reset", "POST") == (200, {})
        _, stats = await asyncio.to_thread(fetch, f"{root}/_stats")
        assert (stats["requests"], stats["distinct_questions"]) == (0, 0)

    on_endpoint(scenario)


def test_latency_has_the_configured_mean() -> None:
    settings = SimulatorSettings(latency_s=2.0, jitter=0.4)
    drawn = [_latency_s(settings, str(number)) for number in range(4000)]
    assert 1.9 < sum(drawn) / len(drawn) < 2.1
    assert min(drawn) < 1.2
    assert max(drawn) > 3.0


def test_latency_delays_answers_concurrently() -> None:
    async def scenario(endpoint: Endpoint) -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.gather(*(endpoint.ask(document) for document in DOCUMENTS[:20]))
        assert endpoint.simulator.stats.most_in_flight > 10
        return loop.time() - began

    assert 0.2 <= on_endpoint(scenario, latency_s=0.2, jitter=0.0) < 2


def test_log_probabilities_spell_the_answer_and_match_it() -> None:
    completion = on_endpoint(lambda endpoint: endpoint.ask(logprobs=True, top_logprobs=3))
    (choice,) = completion.choices
    assert choice.logprobs is not None
    tokens = choice.logprobs.content
    assert tokens is not None
    assert b"".join(bytes(token.bytes or []) for token in tokens).decode() == choice.message.content
    for token in tokens:
        assert token.logprob <= 0
        assert token.token in [top.token for top in token.top_logprobs]
        assert len(token.top_logprobs) <= 3
        assert sum(math.exp(top.logprob) for top in token.top_logprobs) <= 1 + 1e-9
    assert min(token.logprob for token in tokens) < -0.01, "somewhere the labels diverge"


@pytest.mark.parametrize(
    "wrong",
    [
        {"top_logprobs": 3},
        {"logprobs": True, "top_logprobs": 21},
        {"model": "o4-mini", "logprobs": True},
        {"model": "gpt-6-luna", "logprobs": True, "reasoning_effort": "low"},
    ],
)
def test_log_probabilities_are_refused_as_openai_refuses_them(wrong: dict[str, Any]) -> None:
    with pytest.raises(openai.BadRequestError, match="logprobs"):
        on_endpoint(lambda endpoint: endpoint.ask(**wrong))
