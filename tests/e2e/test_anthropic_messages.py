"""Anthropic's own protocol, checked against its SDK's types: request, answer, cost and refusals."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from llmbatch.core.usage import Usage
from llmbatch.provider.anthropic import decode_message
from llmbatch.provider.client import resolve_endpoint
from llmbatch.provider.completion import ErrorInAnswerError, NotACompletionError
from llmbatch.provider.plugged import dialect_named
from tests.e2e.json_server import JsonServer, json_server
from tests.e2e.program import Done, Program, documents, views, write_rows

USAGE = {"input_tokens": 100, "cache_read_input_tokens": 1_500, "cache_creation_input_tokens": 0, "output_tokens": 12}


def message(**changes: Any) -> dict[str, Any]:
    content = [{"type": "text", "text": json.dumps({"category": "legal", "percent": 90})}]
    data = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-4-5", "content": content}
    return {**data, "stop_reason": "end_turn", "stop_sequence": None, "usage": USAGE, **changes}


def refusal(kind: str, text: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": text}, "request_id": "req_1"}


@pytest.fixture
def server() -> Iterator[JsonServer]:
    with json_server("/v1/messages", lambda _: (200, message())) as running:
        yield running


def classify(program: Program, server: JsonServer, *more: str) -> Done:
    write_rows(program.folder / "docs.jsonl", documents(3))
    command = ("classify", "docs.jsonl", "--dialect", "anthropic-messages", "--model", "claude-haiku-4-5")
    return program(
        *command,
        "--base-url",
        f"{server.url}/v1",
        *more,
        ANTHROPIC_API_KEY="sk-ant-1",
        OPENAI_API_KEY="sk-openai",
        OPENAI_BASE_URL="http://127.0.0.1:9/v1",
    )


def test_rows_are_sent_with_the_prefix_marked_for_the_cache(llmbatch: Program, server: JsonServer) -> None:
    done = classify(llmbatch, server, "--json")
    assert done.code == 0, done.err
    assert {row["category"] for row in views(llmbatch.folder / "docs.llmbatch")["results"]} == {"legal"}
    request, headers = server.requests[0], server.headers[0]
    (system,) = request["system"]
    assert system["cache_control"] == {"type": "ephemeral"}
    assert documents(1)[0]["text"] not in system["text"]
    assert [one["role"] for one in request["messages"]] == ["user"]
    schema = request["output_config"]["format"]["schema"]
    assert (schema["properties"]["percent"], schema["additionalProperties"]) == ({"type": "integer"}, False)
    assert (headers["x-api-key"], headers["anthropic-version"]) == ("sk-ant-1", "2023-06-01")
    assert not any("sk-openai" in value for sent in server.headers for value in sent.values())
    usage = done.json["usage"]
    assert (usage["input_tokens"], usage["cached_input_tokens"], usage["output_tokens"]) == (4_800, 4_500, 36)
    assert usage["cost_usd"] == pytest.approx(3 * (100 + 150 + 60) / 1e6), "$1, $0.10 and $5 per million"


@pytest.mark.parametrize(
    ("text", "parameter"),
    [
        ("output_config: Extra inputs are not permitted", "output_config"),
        ("`temperature` is deprecated for this model.", "temperature"),
    ],
)
def test_parameters_a_model_refuses_are_left_out(
    llmbatch: Program, server: JsonServer, text: str, parameter: str
) -> None:
    server.answer = lambda request: (
        (400, refusal("invalid_request_error", text)) if parameter in request else (200, message())
    )
    done = classify(llmbatch, server)
    assert (done.code, len(server.requests)) == (0, 4), done.err


@pytest.mark.parametrize(
    ("status", "kind", "text", "code"),
    [
        (401, "authentication_error", "invalid x-api-key", 4),
        (400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API.", 4),
        (404, "not_found_error", "model: claude-haiku-4-5", 4),
        (400, "invalid_request_error", "prompt is too long: 300000 tokens > 200000 maximum", 3),
    ],
)
def test_refusals_are_handled_as_for_other_endpoints(
    llmbatch: Program, server: JsonServer, status: int, kind: str, text: str, code: int
) -> None:
    server.answer = lambda _: (status, refusal(kind, text))
    done = classify(llmbatch, server)
    assert (done.code, "Traceback" in done.err) == (code, False), done.err


@pytest.mark.parametrize(
    ("changes", "usage"),
    [
        ({}, Usage(1_600, 1_500, 0, 12)),
        ({"usage": {**USAGE, "cache_creation_input_tokens": 200}}, Usage(1_800, 1_500, 200, 12)),
        ({"usage": {**USAGE, "output_tokens_details": {"thinking_tokens": 5}}}, Usage(1_600, 1_500, 0, 12, 5)),
        ({"usage": {"input_tokens": 7, "output_tokens": 2}}, Usage(7, 0, 0, 2, 0, 7)),
        ({"usage": None}, None),
        ({"usage": {**USAGE, "input_tokens": "many"}}, None),
    ],
)
def test_cached_tokens_are_part_of_the_input(changes: dict[str, Any], usage: Usage | None) -> None:
    assert decode_message(json.dumps(message(**changes)).encode(), {}).usage == usage


def test_thinking_and_tools_are_not_taken_for_the_answer() -> None:
    blocks = [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "{"}, {"type": "text", "text": "}"}]
    completion = decode_message(json.dumps(message(content=blocks)).encode(), {"request-id": "req_7"})
    assert (completion.content, completion.thinking, completion.request_id) == ("{}", "Hm.", "req_7")
    tool = decode_message(json.dumps(message(content=[{"type": "tool_use", "input": {}}])).encode(), {})
    assert (tool.content, tool.has_tool_calls) == (None, True)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'{"type": "message"}', b'{"content": "text"}'])
def test_a_body_that_is_not_a_message_is_refused(body: bytes) -> None:
    with pytest.raises(NotACompletionError):
        decode_message(body, {})


def test_an_error_in_a_successful_response_is_an_error() -> None:
    with pytest.raises(ErrorInAnswerError, match="Overloaded"):
        decode_message(json.dumps(refusal("overloaded_error", "Overloaded")).encode(), {})


def test_the_key_goes_only_to_anthropic_unless_the_user_names_a_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "https://gateway.example/v1")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-1")
    dialect = dialect_named("anthropic-messages")
    for given in (None, "https://gateway.example/v1"):  # the variable is the option's default
        assert resolve_endpoint(given, None, model="m", dialect=dialect).base_url == "https://api.anthropic.com/v1"
    assert resolve_endpoint("https://other.example/v1", None, model="m", dialect=dialect).base_url.startswith(
        "https://other"
    )
