"""Each provider that the offline endpoint imitates: its errors are classified as intended, its limits are read."""

import json
from pathlib import Path
from typing import Any

import openai
import pytest

from llmbatch.core.errors import UsageError
from llmbatch.provider.completion import ErrorInAnswerError, decode_completion
from llmbatch.provider.failures import Failure
from llmbatch.provider.finish import Ending, ending_of
from llmbatch.provider.judge import judge, judge_report
from llmbatch.provider.limits import stated_limits
from llmbatch.simulate.dialects import Dialect, dialect_names, dialect_of
from llmbatch.simulate.header_faults import HEADER_FAULTS, OtherLimits
from llmbatch.simulate.reply import Reply
from llmbatch.simulate.stated_limits import StatedLimits
from tests.simulate.endpoint import Endpoint, on_endpoint

DIALECTS = [dialect_of(name) for name in dialect_names()]
ERRORS = [(dialect, kind) for dialect in DIALECTS for kind in dialect.errors]
FACTS = {
    "model": "m", "window": 8192, "tokens": 9000, "answer_tokens": 64, "requested": 9064, "wait_s": "0.05",
    "parameter": "response_format",
}  # fmt: skip
MEANINGS = {
    "auth": {"credentials"},
    "quota": {"quota"},
    "rate_limit": {"rate_limit"},
    "too_large_request": {"too_long"},
    "overloaded": {"overloaded", "rate_limit", "server_error", "loading"},
    "loading": {"loading"},
    "context_length": {"too_long"},
    "content_policy": {"filtered"},
    "model_not_found": {"model_not_found"},
    "bad_parameter": {"bad_parameter"},
    "flex_unavailable": {"overloaded"},
}
"""The failure kinds that llmbatch must give each fault, in any provider's wording."""


def judged(reply: Reply) -> Failure:
    if reply.status != 200:
        return judge(reply.status, reply.headers, reply.body)
    with pytest.raises(ErrorInAnswerError) as found:
        decode_completion(reply.body)
    return judge_report(200, reply.headers, found.value.report)


@pytest.mark.parametrize(("dialect", "kind"), ERRORS, ids=lambda part: getattr(part, "name", part))
def test_each_providers_error_wording_is_classified_as_the_fault(dialect: Dialect, kind: str) -> None:
    reply = dialect.in_its_words(Reply(400, b"", kind=kind), FACTS)
    assert not any(f"<{place}>".encode() in reply.body for place in FACTS), "every placeholder is filled in"
    failure = judged(reply)
    assert failure.kind in MEANINGS[kind], failure
    if kind == "context_length" and b"8192" in reply.body:
        assert failure.window == 8192
    if kind == "bad_parameter":
        assert failure.parameter == "response_format"


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_an_error_without_a_providers_wording_is_sent_in_its_format(dialect: Dialect) -> None:
    body = json.dumps({"error": {"message": "computer says no", "type": "t", "param": None, "code": None}}).encode()
    reply = dialect.in_its_words(Reply(422, body, kind="unprocessable"), FACTS)
    assert judged(reply).message.endswith("computer says no")
    page = Reply(502, b"<html></html>", content_type="text/html", kind="bad_gateway")
    assert dialect.in_its_words(page, FACTS) == page


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_a_providers_limit_headers_are_read_as_stated(dialect: Dialect) -> None:
    forms = dialect.limits or ()
    now = 0.0
    stated = StatedLimits(forms, rpm=None, tpm=None, clock=lambda: now)
    for used in (1, 2, 3):
        read = {limit.kind: limit for limit in stated_limits(stated.headers(1_000))}
        assert set(read) == {form.kind for form in forms}
        for form in forms:
            limit = read[form.kind]
            need = 1 if form.kind == "requests" else 1_000
            assert (limit.limit, limit.remaining) == (form.limit, form.limit - used * need)
            longest_s = form.per_s if form.fixed else used * need * form.per_s / form.limit
            assert limit.reset_s is None or limit.reset_s <= longest_s + 1


@pytest.mark.parametrize(("name", "remaining"), [("envoy", 2999), ("cerebras", 14396)])
def test_a_fixed_window_resets(name: str, remaining: int) -> None:
    now = [0.0]
    stated = StatedLimits(dialect_of(name).limits or (), rpm=None, tpm=None, clock=lambda: now[0])
    for _ in range(3):
        stated.headers(1)
    now[0] = 61.0
    read = {limit.kind: limit for limit in stated_limits(stated.headers(1))}
    assert read["requests"].remaining == remaining


def test_a_bucket_refills_and_a_limit_for_a_minute_can_be_set() -> None:
    now = [0.0]
    stated = StatedLimits(dialect_of("groq").limits or (), rpm=7, tpm=600, clock=lambda: now[0])
    stated.headers(600)
    now[0] = 30.0
    headers = stated.headers(0)
    assert (headers["x-ratelimit-limit-tokens"], headers["x-ratelimit-remaining-tokens"]) == ("600", "300")
    assert headers["x-ratelimit-limit-requests"] == "14400", "a day's"


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_a_dialect_is_sourced_and_its_finish_reasons_are_known(dialect: Dialect) -> None:
    assert dialect.maker
    assert dialect.source
    endings = {"stop": Ending.WHOLE, "length": Ending.CUT}
    for reason, finish_reason in dialect.finish.items():
        assert ending_of(finish_reason) in (endings.get(reason), Ending.FILTERED, Ending.REFUSED)


def test_the_documentation_lists_every_dialect() -> None:
    page = Path("docs/reference/simulate.md").read_text(encoding="utf-8")
    rows = {line.split("|")[1].strip().strip("`"): line for line in page.splitlines() if line.startswith("| `")}
    for dialect in DIALECTS:
        assert dialect.maker in rows[dialect.name]


def test_an_unknown_dialect_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(UsageError, match="unknown dialect 'vlm'") as refused:
        dialect_of("vlm")
    assert "vllm" in str(refused.value.hint)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("tags", {"content": "<think>hm</think>\n{}"}),
        ("reasoning", {"content": "{}", "reasoning": "hm"}),
        (
            "parts",
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
                    {"type": "text", "text": "{}"},
                ]
            },
        ),
    ],
)
def test_thinking_is_placed_where_the_provider_puts_it(place: str, message: dict[str, Any]) -> None:
    completion = {"choices": [{"finish_reason": "stop", "message": {"content": "{}"}}]}
    assert dialect_of("vllm").shaped(completion, "hm", place)["choices"][0]["message"] == message


@pytest.mark.parametrize("kind", HEADER_FAULTS)
def test_limits_can_be_stated_in_another_providers_headers(kind: str) -> None:
    limits = OtherLimits(rpm=None, tpm=None, clock=lambda: 0.0)
    read = [{limit.kind: limit for limit in stated_limits(limits.headers(kind, 1_000))} for _ in range(2)]
    first, second = (stated["requests"].remaining for stated in read)
    assert first is not None
    assert second == first - 1


@pytest.mark.parametrize(
    ("name", "fault", "expected"),
    [
        ("tgi", "loading", "Model gpt-4o-mini is currently loading"),
        ("llama.cpp", "loading", "Loading model"),
        ("groq", "flex_unavailable", "Flex tier capacity exceeded"),
        ("openai", "flex_unavailable", "Resource Unavailable"),
        ("mistral", "moderation", "requires moderation"),
        ("vllm", "server_error", "BadRequestError"),
    ],
)
def test_a_fault_is_worded_as_the_provider_words_it(name: str, fault: str, expected: str) -> None:
    async def scenario(endpoint: Endpoint) -> str:
        with pytest.raises(openai.APIStatusError) as caught:
            await endpoint.ask()
        return caught.value.response.text

    assert expected in on_endpoint(scenario, f"{fault}@1", dialect=name)
