"""The offline endpoint's answers and refusals follow OpenAI's published specification."""

from typing import Any

import pytest

from llmbatch.simulate.answer_faults import ANSWER_FAULTS
from llmbatch.simulate.error_faults import ERROR_FAULTS
from llmbatch.simulate.usage_faults import USAGE_FAULTS
from tests.published.schemas import breaches
from tests.simulate.endpoint import Endpoint, on_endpoint, question

OF_OTHERS = {"rate_limit_html", "bad_gateway", "redirect", "not_json", "total_usage"}
"""What proxies, firewalls and other makers send: no JSON, or none of OpenAI's."""


def answered(*faults: str, **changes: Any) -> tuple[int, Any]:
    async def scenario(endpoint: Endpoint) -> tuple[int, Any]:
        body = {name: value for name, value in (question("The server crashed.") | changes).items() if value is not None}
        answer = await endpoint.client._client.post(f"{endpoint.url}/chat/completions", json=body)
        return answer.status_code, answer.json()

    return on_endpoint(scenario, *faults)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"model": "gpt-6-luna"},
        {"logprobs": True, "top_logprobs": 5},
        {"response_format": {"type": "json_object"}},
        {"response_format": None},
        {"max_tokens": 1},
        {"model": "gpt-6-luna", "service_tier": "flex"},
    ],
    ids=lambda changes: "-".join(changes) or "default",
)
def test_an_answer(changes: dict[str, Any]) -> None:
    status, body = answered(**changes)
    assert status == 200, body
    assert breaches("CreateChatCompletionResponse", body) == []


@pytest.mark.parametrize("fault", sorted({*ANSWER_FAULTS, *USAGE_FAULTS} - OF_OTHERS))
def test_an_unusable_answer(fault: str) -> None:
    status, body = answered(f"{fault}@1")
    assert status == 200
    assert breaches("CreateChatCompletionResponse", body) == []


@pytest.mark.parametrize("fault", sorted({*ERROR_FAULTS} - OF_OTHERS))
def test_a_refusal_caused_by_a_fault(fault: str) -> None:
    status, body = answered(f"{fault}@1")
    assert status >= 400
    assert breaches("ErrorResponse", body) == []


@pytest.mark.parametrize(
    "changes",
    [{"messages": []}, {"model": 7}, {"temperature": 9}, {"wish": 1}, {"max_tokens": 0}, {"stream": True}],
    ids=lambda changes: next(iter(changes)),
)
def test_a_refusal_caused_by_the_request(changes: dict[str, Any]) -> None:
    status, body = answered(**changes)
    assert status == 400
    assert breaches("ErrorResponse", body) == []


def test_the_list_of_models() -> None:
    async def scenario(endpoint: Endpoint) -> Any:
        return (
            await endpoint.client._client.get(f"{endpoint.url}/models", headers={"authorization": "Bearer any"})
        ).json()

    assert breaches("ListModelsResponse", on_endpoint(scenario)) == []
