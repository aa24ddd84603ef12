from typing import Any

import openai
import pytest

from llmbatch.core import defaults
from llmbatch.simulate.reply import RefusedError
from llmbatch.simulate.request import read_request
from tests.simulate.endpoint import DOCUMENTS, Endpoint, on_endpoint

OBJECT: dict[str, Any] = {"type": "object", "properties": {}}


def refusal(refuse: frozenset[str] = frozenset(), **changes: Any) -> openai.BadRequestError:
    async def scenario(endpoint: Endpoint) -> openai.BadRequestError:
        with pytest.raises(openai.BadRequestError) as caught:
            await endpoint.ask(**changes)
        return caught.value

    return on_endpoint(scenario, refuse=refuse)


@pytest.mark.parametrize(
    ("changes", "param", "code", "words"),
    [
        ({"messages": []}, "messages", "empty_array", "empty array"),
        ({"messages": [{"role": "boss", "content": "x"}]}, "messages[0].role", "invalid_value", "'boss'"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content", "invalid_type", "content"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0]", "invalid_value", "text"),
        ({"max_tokens": 9, "max_completion_tokens": 9}, "max_tokens", None, "at the same time"),
        ({"max_tokens": 0}, "max_tokens", "integer_below_min_value", ">= 1"),
        ({"model": "o3-mini", "max_tokens": 9}, "max_tokens", "unsupported_parameter", "Use 'max_completion_tokens'"),
        ({"model": "openai/gpt-6-luna", "max_tokens": 9}, "max_tokens", "unsupported_parameter", "max_tokens"),
        ({"model": "gpt-5-mini", "temperature": 0}, "temperature", "unsupported_value", "Only the default (1)"),
        ({"stream": True}, "stream", "unsupported_value", "does not stream"),
        ({"n": 2}, "n", "unsupported_value", "one choice"),
        ({"service_tier": "flx"}, "service_tier", "invalid_value", "'flex'"),
        ({"service_tier": "flex"}, "service_tier", None, "Invalid service_tier argument"),
        ({"response_format": {"type": "xml"}}, "response_format.type", "invalid_value", "'xml'"),
        (
            {"response_format": {"type": "json_object"}, "messages": [{"role": "user", "content": "hi"}]},
            "messages",
            None,
            "must contain the word 'json'",
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": OBJECT}}},
            "response_format.json_schema.name",
            "missing_required_parameter",
            "name",
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}},
            "response_format",
            "invalid_json_schema",
            "properties",
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": OBJECT}}},
            "messages",
            "no_labels",
            "enum",
        ),
        (
            {"response_format": None, "messages": [{"role": "user", "content": "hi"}]},
            "messages",
            "no_labels",
            "# Labels",
        ),
    ],
)
def test_a_bad_request_is_refused_as_openai_would(
    changes: dict[str, Any], param: str, code: str | None, words: str
) -> None:
    error = refusal(**changes)
    assert (error.param, error.code, error.type) == (param, code, "invalid_request_error")
    assert words in error.message


def test_a_schema_that_asks_for_more_than_a_label_is_refused() -> None:
    properties = {"category": {"type": "string", "enum": ["a", "b"]}, "spans": {"type": "array"}}
    schema = {"type": "object", "properties": properties}
    error = refusal(response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": schema}})
    assert "'spans'" in error.message


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b'{"model": "\xff"}', b'{"messages": []}', b'{"model": 3}'])
def test_a_body_that_is_not_a_request_is_refused(raw: bytes) -> None:
    with pytest.raises(RefusedError) as caught:
        read_request(raw, deployment=None, refuse=frozenset())
    assert caught.value.reply.status == 400


def test_missing_messages_are_named() -> None:
    with pytest.raises(RefusedError) as caught:
        read_request(b'{"model": "gpt-4o"}', deployment=None, refuse=frozenset())
    assert b"Missing required parameter: 'messages'." in caught.value.reply.body


def test_parameters_on_the_refused_list_are_refused() -> None:
    error = refusal(frozenset({"temperature"}), temperature=0)
    assert (error.param, error.code) == ("temperature", "unsupported_parameter")


def test_response_formats_on_the_refused_list_are_refused_and_others_accepted() -> None:
    error = refusal(frozenset({"json_schema"}))
    assert (error.param, error.code) == ("response_format", None)
    assert "of type 'json_schema' is not supported" in error.message
    on_endpoint(
        lambda endpoint: endpoint.ask(response_format={"type": "json_object"}), refuse=frozenset({"json_schema"})
    )


def test_reasoning_models_take_their_own_parameters() -> None:
    on_endpoint(
        lambda endpoint: endpoint.ask(
            model="gpt-6-luna", max_completion_tokens=64, temperature=1, reasoning_effort="none"
        )
    )


@pytest.mark.parametrize(("limit", "expected"), [(50, "you requested"), (9, "your messages resulted in")])
def test_a_request_beyond_the_window_is_refused(limit: int, expected: str) -> None:
    async def scenario(endpoint: Endpoint) -> openai.BadRequestError:
        usage = (await endpoint.ask(max_tokens=9)).usage
        assert usage is not None
        tokens = usage.prompt_tokens
        with pytest.raises(openai.BadRequestError) as caught:
            await endpoint.ask(DOCUMENTS[0] * (60 if limit == 9 else 1), max_tokens=400 - tokens + limit)
        return caught.value

    error = on_endpoint(scenario, window=400)
    assert (error.param, error.code) == ("messages", "context_length_exceeded")
    assert "maximum context length is 400 tokens" in error.message
    assert expected in error.message


def test_the_models_window_applies_if_none_is_configured() -> None:
    error = refusal(model="gpt-4o-mini", max_tokens=128_000)
    assert "maximum context length is 128000 tokens" in error.message


def test_models_are_listed_and_the_default_one_is_among_them() -> None:
    async def scenario(endpoint: Endpoint) -> list[str]:
        return [model.id async for model in endpoint.client.models.list()]

    assert defaults.MODEL in on_endpoint(scenario)
    assert on_endpoint(scenario, models=("a", "b")) == ["a", "b"]
