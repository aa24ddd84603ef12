import asyncio
import json
import time
from collections import Counter
from typing import Any

import openai
import orjson
import pytest

from llmbatch.provider.http_library import httpx
from llmbatch.simulate import parse_fault
from llmbatch.simulate.answer_faults import ANSWER_FAULTS
from llmbatch.simulate.catalogue import KINDS, MIXED_KINDS
from llmbatch.simulate.draw import question_digest, struck
from tests.simulate.endpoint import DOCUMENTS, SCHEMA, Endpoint, on_endpoint, question

BODY = orjson.dumps(question(DOCUMENTS[0]))
LABELS = SCHEMA["properties"]["category"]["enum"]


async def failure(endpoint: Endpoint, **changes: Any) -> Exception:
    with pytest.raises((openai.OpenAIError, httpx.HTTPError, ValueError)) as caught:
        await endpoint.ask(**changes)
    return caught.value


@pytest.mark.parametrize(
    ("kind", "error", "status", "code"),
    [
        ("rate_limit", openai.RateLimitError, 429, "rate_limit_exceeded"),
        ("rate_limit_bare", openai.RateLimitError, 429, "rate_limit_exceeded"),
        ("rate_limit_html", openai.RateLimitError, 429, None),
        ("quota", openai.RateLimitError, 429, "insufficient_quota"),
        ("too_large_request", openai.RateLimitError, 429, "rate_limit_exceeded"),
        ("server_error", openai.InternalServerError, 500, None),
        ("bad_gateway", openai.InternalServerError, 502, None),
        ("overloaded", openai.InternalServerError, 503, None),
        ("auth", openai.AuthenticationError, 401, "invalid_api_key"),
        ("forbidden", openai.PermissionDeniedError, 403, "model_not_allowed"),
        ("model_not_found", openai.NotFoundError, 404, "model_not_found"),
        ("context_length", openai.BadRequestError, 400, "context_length_exceeded"),
        ("content_policy", openai.BadRequestError, 400, "content_policy_violation"),
        ("redirect", openai.APIStatusError, 307, None),
        ("conflict", openai.ConflictError, 409, "conflict"),
        ("request_timeout", openai.APIStatusError, 408, "request_timeout"),
        ("unprocessable", openai.UnprocessableEntityError, 422, None),
    ],
)
def test_an_error_arrives_as_the_sdks_own_class(
    kind: str, error: type[openai.APIStatusError], status: int, code: str | None
) -> None:
    async def scenario(endpoint: Endpoint) -> None:
        caught = await failure(endpoint)
        assert isinstance(caught, error)
        assert (caught.status_code, caught.code) == (status, code)
        assert caught.request_id
        assert endpoint.simulator.stats.faults == {kind: 1}
        await endpoint.ask()

    on_endpoint(scenario, f"{kind}@1")


def test_a_rate_limit_states_the_wait_in_both_headers() -> None:
    async def scenario(endpoint: Endpoint) -> Any:
        caught = await failure(endpoint)
        assert isinstance(caught, openai.RateLimitError)
        return caught.response.headers

    headers = on_endpoint(scenario, "rate_limit[retry_after=0.25]@1")
    assert (headers["retry-after-ms"], headers["retry-after"]) == ("250", "1")
    assert "retry-after" not in on_endpoint(scenario, "rate_limit_bare@1")


def test_azures_content_filter_error_has_its_own_wording() -> None:
    async def scenario(endpoint: Endpoint) -> None:
        async with openai.AsyncAzureOpenAI(
            azure_endpoint=endpoint.url.removesuffix("/v1"), api_key="k", api_version="2024-10-21", max_retries=0
        ) as client:
            caught = await failure(Endpoint(endpoint.simulator, endpoint.url, client))
        assert isinstance(caught, openai.BadRequestError)
        assert caught.code == "content_filter"
        assert isinstance(caught.body, dict)
        assert caught.body["innererror"]["code"] == "ResponsibleAIPolicyViolation"

    on_endpoint(scenario, "content_policy@1")


def test_a_login_page_comes_with_status_200() -> None:
    async def scenario(endpoint: Endpoint) -> Any:
        async with httpx.AsyncClient() as client:
            return await client.post(f"{endpoint.url}/chat/completions", content=BODY)

    answer = on_endpoint(scenario, "not_json@1")
    assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (200, "text/html")
    assert answer.text.startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("kind", ["reset", "cut"])
def test_a_lost_connection_is_a_connection_error(kind: str) -> None:
    async def scenario(endpoint: Endpoint) -> None:
        caught = await failure(endpoint)
        assert type(caught) is openai.APIConnectionError
        await endpoint.ask()
        assert endpoint.simulator.stats.in_flight == 0

    on_endpoint(scenario, f"{kind}@1")


def test_a_cut_body_is_shorter_than_announced() -> None:
    async def scenario(endpoint: Endpoint) -> bytes:
        host, port = endpoint.url.removeprefix("http://").removesuffix("/v1").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(BODY))
        writer.write(BODY)
        answer = await reader.read()
        writer.close()
        return answer

    head, _, sent = on_endpoint(scenario, "cut@1").partition(b"\r\n\r\n")
    announced = next(int(line[16:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length: "))
    assert 0 < len(sent) < announced


@pytest.mark.parametrize("fault", ["timeout@1", "drip@1", "slow@1", "delay[seconds=9]@1"])
def test_a_hanging_request_runs_into_the_clients_timeout_and_is_dropped(fault: str) -> None:
    async def scenario(endpoint: Endpoint) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await endpoint.ask()
        await endpoint.ask()
        assert endpoint.simulator.stats.in_flight == 0

    on_endpoint(scenario, fault)


def test_a_timeout_that_ends_closes_without_an_answer() -> None:
    assert isinstance(on_endpoint(failure, "timeout[seconds=0.05]@1"), openai.APIConnectionError)


@pytest.mark.parametrize("fault", ["drip[seconds=0.3]@1", "delay[seconds=0.3]@1"])
def test_a_slow_answer_arrives_completely(fault: str) -> None:
    async def scenario(endpoint: Endpoint) -> float:
        began = time.monotonic()
        completion = await endpoint.ask()
        assert completion.choices[0].finish_reason == "stop"
        return time.monotonic() - began

    assert on_endpoint(scenario, fault) >= 0.3


def answered(kind: str) -> Any:
    return on_endpoint(lambda endpoint: endpoint.ask(), f"{kind}@1")


def content(kind: str) -> str:
    text = answered(kind).choices[0].message.content
    assert isinstance(text, str)
    return text


def test_a_wrapped_answer_is_in_a_code_fence_with_chatter() -> None:
    before, _, rest = content("wrapped").partition("```json\n")
    inside, _, after = rest.partition("\n```")
    assert before
    assert after
    assert json.loads(inside)["category"] == "technical"


def test_a_truncated_answer_has_finish_reason_length() -> None:
    choice = answered("truncated").choices[0]
    assert choice.finish_reason == "length"
    with pytest.raises(json.JSONDecodeError):
        json.loads(choice.message.content)


@pytest.mark.parametrize(
    ("kind", "text", "reason"),
    [("empty", "", "stop"), ("null_content", None, "stop"), ("filtered", "", "content_filter")],
)
def test_an_answer_without_content(kind: str, text: str | None, reason: str) -> None:
    choice = answered(kind).choices[0]
    assert (choice.message.content, choice.finish_reason) == (text, reason)


def test_a_refusal_is_in_its_own_field() -> None:
    message = answered("refusal").choices[0].message
    assert message.content is None
    assert message.refusal


def test_an_invented_label_is_not_in_the_task() -> None:
    assert json.loads(content("invented"))["category"] not in LABELS


def test_a_miscased_label_differs_in_case_only() -> None:
    label = json.loads(content("miscased"))["category"]
    assert label not in LABELS
    assert label.lower() == "technical"


def test_confidence_can_be_out_of_range_or_missing() -> None:
    assert json.loads(content("bad_confidence"))["percent"] == 170
    assert json.loads(content("no_confidence")) == {"category": "technical"}


def test_two_answers_name_two_labels() -> None:
    first, second = map(json.loads, content("two_answers").split("\n"))
    assert {first["category"], second["category"]} < set(LABELS)
    assert first["category"] != second["category"]


def test_a_duplicate_key_holds_two_labels() -> None:
    pairs = json.loads(content("duplicate_key"), object_pairs_hook=list)
    labels = [value for key, value in pairs if key == "category"]
    assert len(set(labels)) == 2


def test_broken_json_ends_inside_the_label() -> None:
    text = content("broken_json")
    assert text == '{"category":"technica'


def test_an_answer_may_come_without_usage_or_from_another_model() -> None:
    assert answered("no_usage").usage is None
    assert answered("other_model").model == "gpt-4.1-nano-2025-04-14"


def test_every_kind_is_in_the_documented_list(request: pytest.FixtureRequest) -> None:
    page = (request.config.rootpath / "docs" / "reference" / "simulate.md").read_text()
    assert [kind for kind in (*KINDS, "mixed") if f"`{kind}" not in page] == []


def test_faults_are_the_same_under_any_concurrency() -> None:
    async def scenario(endpoint: Endpoint, concurrency: int) -> dict[str, str]:
        slots, outcomes = asyncio.Semaphore(concurrency), {}

        async def ask(document: str) -> None:
            async with slots:
                try:
                    outcomes[document] = (await endpoint.ask(document)).choices[0].message.content or ""
                except openai.APIStatusError as error:
                    outcomes[document] = str(error.status_code)

        await asyncio.gather(*map(ask, DOCUMENTS[:60]))
        return outcomes

    faults = ("server_error=20%", "wrapped=30%")
    one, many = (on_endpoint(lambda e, n=n: scenario(e, n), *faults) for n in (1, 30))  # type: ignore[misc]
    assert one == many
    assert 3 < sum(outcome == "500" for outcome in one.values()) < 25
    assert one != on_endpoint(lambda endpoint: scenario(endpoint, 30), *faults, seed=1)


def test_a_retry_draws_its_fault_again() -> None:
    async def scenario(endpoint: Endpoint) -> list[bool]:
        return [isinstance(outcome, Exception) for outcome in [await attempt(endpoint) for _ in range(40)]]

    async def attempt(endpoint: Endpoint) -> Any:
        try:
            return await endpoint.ask()
        except openai.InternalServerError as error:
            return error

    assert 8 < sum(on_endpoint(scenario, "server_error=50%")) < 32


def strikes(*specs: str, count: int = 2000) -> Counter[str]:
    faults = [parse_fault(spec) for spec in specs]
    return Counter(
        fault.kind
        for number in range(1, count + 1)
        for fault in struck(
            faults, seed=0, number=number, question=question_digest("m", str(number)), elapsed_s=0, times_asked=1
        )
    )


def test_a_probability_is_reached_on_average() -> None:
    assert 160 < strikes("reset=10%")["reset"] < 240
    assert strikes("reset=0") == {}
    assert strikes("reset=100%")["reset"] == 2000


def test_a_schedule_affects_exactly_its_requests() -> None:
    assert strikes("reset@3,10-12,1999+")["reset"] == 6


def test_mixed_faults_cover_all_their_kinds_and_keep_the_probability() -> None:
    found = strikes("mixed=50%")
    assert set(found) == set(MIXED_KINDS)
    assert set(ANSWER_FAULTS) < set(found)
    assert 900 < sum(found.values()) < 1100
    assert max(found.values()) < 3 * min(found.values())


def test_in_each_group_the_first_fault_that_applies_is_used() -> None:
    found = strikes("delay=100%", "quota@1", "server_error=100%", "wrapped=100%", "empty=100%", count=10)
    assert found == {"delay": 10, "quota": 1, "server_error": 9, "wrapped": 10}


def test_a_higher_probability_affects_the_same_requests_and_more() -> None:
    def numbers(spec: str) -> set[int]:
        fault = parse_fault(spec)
        return {n for n in range(500) if struck([fault], seed=0, number=n, question=str(n), elapsed_s=0, times_asked=1)}

    assert numbers("reset=5%") < numbers("reset=10%")
