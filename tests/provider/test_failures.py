"""Every failure has its action."""

import json
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest

from llmbatch.core.errors import ExitCode
from llmbatch.core.usage import Usage
from llmbatch.provider.completion import Completion, decode_completion
from llmbatch.provider.failures import Action, Billed, Failure
from llmbatch.provider.finish import judge_completion
from llmbatch.provider.http_library import httpx
from llmbatch.provider.judge import judge
from llmbatch.provider.transport import judge_exception

WIRE = sorted((Path(__file__).parent / "wire").glob("*.json"))
REQUEST = httpx.Request("POST", "http://127.0.0.1/v1/chat/completions")


def openai_error(
    message: str = "no",
    code: str | None = None,
    kind: str = "invalid_request_error",
    param: str | None = None,
) -> Any:
    return {"error": {"message": message, "type": kind, "code": code, "param": param}}


def judged(status: int, body: Any, headers: Mapping[str, str] | None = None) -> Failure:
    content = body if isinstance(body, str) else json.dumps(body)
    return judge(status, headers or {}, content.encode())


TABLE = [
    (429, openai_error(code="insufficient_quota"), "quota", Action.STOP),
    (429, openai_error(kind="insufficient_quota", code="weird"), "quota", Action.STOP),
    (429, openai_error(code="credit_balance_exhausted"), "quota", Action.STOP),
    (429, openai_error(code="project_spend_limit_exceeded"), "quota", Action.STOP),
    (429, openai_error(code="organization_usage_limit_exceeded"), "quota", Action.STOP),
    (402, {"error": {"message": "Insufficient Balance"}}, "quota", Action.STOP),
    (429, openai_error(code="rate_limit_exceeded", kind="tokens"), "rate_limit", Action.THROTTLE),
    (429, "<html>slow down</html>", "rate_limit", Action.THROTTLE),
    (429, '"too many"', "rate_limit", Action.THROTTLE),
    (429, {"error": {"code": 429, "message": "Provider returned error"}}, "rate_limit", Action.THROTTLE),
    (
        429,
        openai_error("Request too large for m: Limit 30000, Requested 48211", "rate_limit_exceeded"),
        "too_long",
        Action.FAIL,
    ),
    (503, openai_error("The engine is currently overloaded", kind="server_error"), "overloaded", Action.RETRY),
    (498, openai_error("flex capacity"), "overloaded", Action.THROTTLE),
    (500, openai_error(kind="server_error"), "server_error", Action.RETRY),
    (502, "<html>Bad Gateway</html>", "server_error", Action.RETRY),
    (524, "<html>timeout</html>", "server_error", Action.RETRY),
    (529, {"error": {"message": "overloaded"}}, "server_error", Action.RETRY),
    (408, openai_error(), "timeout", Action.RETRY),
    (409, openai_error(), "conflict", Action.RETRY),
    (401, openai_error(code="invalid_api_key"), "credentials", Action.STOP),
    (403, openai_error(code="unsupported_country"), "credentials", Action.STOP),
    (404, openai_error(code="model_not_found"), "model_not_found", Action.STOP),
    (404, "<html>nginx</html>", "model_not_found", Action.STOP),
    (400, openai_error(code="context_length_exceeded", param="messages"), "too_long", Action.FAIL),
    (400, {"message": "This model's maximum context length is 4096 tokens"}, "too_long", Action.FAIL),
    (413, "payload too large", "too_long", Action.FAIL),
    (400, openai_error(code="content_policy_violation"), "filtered", Action.FAIL),
    (
        400,
        {"error": {"code": "content_filter", "message": "x", "innererror": {"code": "ResponsibleAIPolicyViolation"}}},
        "filtered",
        Action.FAIL,
    ),
    (400, openai_error(code="unsupported_parameter", param="max_tokens"), "bad_parameter", Action.ADAPT),
    (400, openai_error("Invalid 'response_format'", param="response_format"), "bad_parameter", Action.ADAPT),
    (422, {"detail": "extra inputs are not permitted: response_format"}, "bad_parameter", Action.ADAPT),
    (429, openai_error("no capacity", code="resource_unavailable"), "overloaded", Action.THROTTLE),
    (498, openai_error("no capacity"), "overloaded", Action.THROTTLE),
    (400, openai_error("something is odd"), "bad_request", Action.FAIL),
    (418, openai_error("teapot"), "bad_request", Action.FAIL),
    (307, "", "redirect", Action.STOP),
]


@pytest.mark.parametrize(("status", "body", "kind", "action"), TABLE)
def test_each_status_and_code_has_its_action(status: int, body: Any, kind: str, action: Action) -> None:
    failure = judged(status, body)
    assert (kind, action) == (failure.kind, failure.action)
    assert failure.status == status


@pytest.mark.parametrize("status", [500, 502, 504, 408, 409, 400, 418])
def test_a_request_that_may_have_been_processed_stays_charged(status: int) -> None:
    assert judged(status, openai_error()).billed is Billed.UNKNOWN


@pytest.mark.parametrize("status", [429, 401, 404, 413])
def test_a_refused_request_costs_nothing(status: int) -> None:
    assert judged(status, openai_error()).billed is Billed.NO


def test_the_servers_own_wait_is_taken_from_the_headers() -> None:
    assert judged(429, openai_error(), {"retry-after-ms": "421", "retry-after": "9"}).wait_s == 0.421


def test_x_should_retry_false_is_obeyed() -> None:
    assert judged(500, openai_error(), {"x-should-retry": "false"}).action is Action.FAIL


def test_x_should_retry_true_does_not_repeat_a_bad_request() -> None:
    assert judged(400, openai_error(), {"x-should-retry": "true"}).action is Action.FAIL


def test_x_should_retry_does_not_overrule_an_exhausted_quota() -> None:
    failure = judged(429, openai_error(code="insufficient_quota"), {"x-should-retry": "true"})
    assert failure.action is Action.STOP


def caused_by(cause: Exception) -> Exception:
    error = openai.APITimeoutError(request=REQUEST)
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "kind", "action", "billed"),
    [
        (TimeoutError(), "timeout", Action.RETRY, Billed.UNKNOWN),
        (caused_by(aiohttp.ServerDisconnectedError()), "connection", Action.RETRY, Billed.UNKNOWN),
        (caused_by(aiohttp.ClientPayloadError("cut")), "connection", Action.RETRY, Billed.UNKNOWN),
        (caused_by(ssl.SSLCertVerificationError("self-signed")), "tls", Action.STOP, Billed.NO),
        (caused_by(aiohttp.InvalidURL("http://[")), "bad_url", Action.STOP, Billed.NO),
        (aiohttp.ClientError("odd"), "connection", Action.RETRY, Billed.UNKNOWN),
        (UnicodeEncodeError("utf-8", "x", 0, 1, "no"), "unencodable", Action.FAIL, Billed.NO),
        (RuntimeError("what"), "unexpected", Action.FAIL, Billed.UNKNOWN),
    ],
)
def test_each_transport_error_has_its_action(error: Exception, kind: str, action: Action, billed: Billed) -> None:
    failure = judge_exception(error)
    assert (kind, action, billed) == (failure.kind, failure.action, failure.billed)


def test_five_identical_unknown_errors_end_the_run_as_a_bug() -> None:
    failure = judge_exception(RuntimeError("what"))
    assert (5, ExitCode.BUG) == (failure.alike_stops, failure.exit_code)


def completion(**changes: Any) -> Completion:
    fields: dict[str, Any] = {
        "content": "{}", "refusal": None, "finish_reason": "stop", "has_tool_calls": False, "model": "m",
        "usage": Usage(), "service_tier": None, "system_fingerprint": None,
    }  # fmt: skip
    return Completion(**{**fields, **changes})


@pytest.mark.parametrize(
    ("changes", "kind", "action"),
    [
        ({"finish_reason": "length"}, "truncated", Action.REASK),
        ({"finish_reason": "content_filter"}, "filtered", Action.FAIL),
        ({"finish_reason": "tool_calls"}, "unusable", Action.FAIL),
        ({"refusal": "I can't", "content": None}, "refusal", Action.FAIL),
        ({"has_tool_calls": True}, "unusable", Action.FAIL),
        ({"content": None}, "empty", Action.REASK),
        ({"content": " \n"}, "empty", Action.REASK),
    ],
)
def test_an_unusable_answer_has_its_action(changes: dict[str, Any], kind: str, action: Action) -> None:
    failure = judge_completion(completion(**changes))
    assert failure is not None
    assert (kind, action, Billed.YES) == (failure.kind, failure.action, failure.billed)


def test_a_complete_answer_is_not_a_failure() -> None:
    assert judge_completion(completion()) is None


RECORDED = {
    "400-api-openai-com-005": "model_not_found",
    "400-api-openai-com-048": "bad_parameter",
    "400-api-openai-com-049": "bad_parameter",
    "400-api-openai-com-052": "bad_parameter",
    "400-api-voyageai-com-004": "model_not_found",
    "400-api-groq-com-023": "invalid",
    "401-test-resource-openai-azure-com-097": "credentials",
    "404-api-groq-com-006": "model_not_found",
    "404-api-openai-com-003": "model_not_found",
    "404-traceloop-stg-openai-azure-com-092": "model_not_found",
    "429-openrouter-ai-059": "rate_limit",
}


@pytest.mark.parametrize("path", [p for p in WIRE if not p.name.startswith("200")], ids=lambda p: p.stem)
def test_each_recorded_error_is_recognized(path: Path) -> None:
    recorded = json.loads(path.read_bytes())
    failure = judged(recorded["status"], recorded["body"], recorded["headers"])
    assert failure.kind == RECORDED.get(path.stem, failure.kind)
    assert failure.kind not in ("unexpected", "server_error")
    assert failure.message


@pytest.mark.parametrize(
    "path",
    [p for p in WIRE if p.name.startswith("200") and "/responses" not in p.read_text()],
    ids=lambda p: p.stem,
)
def test_each_recorded_completion_is_decoded(path: Path) -> None:
    recorded = json.loads(path.read_bytes())
    if "choices" not in recorded["body"]:
        pytest.skip("not a chat completion")
    decoded = decode_completion(json.dumps(recorded["body"]).encode())
    message = recorded["body"]["choices"][0].get("message", {})
    if isinstance(message.get("content"), str):
        assert decoded.content == message["content"]
    if recorded["body"].get("usage"):
        assert decoded.usage is not None
        assert decoded.usage.input_tokens == recorded["body"]["usage"]["prompt_tokens"]
