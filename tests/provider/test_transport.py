"""Answers over real sockets, compressed, truncated and delivered as servers and proxies do it."""

import asyncio
import gzip
import json
import re
import zlib
from dataclasses import replace
from typing import Any

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.provider.client import Caller, Endpoint, resolve_endpoint
from llmbatch.provider.completion import Completion
from llmbatch.provider.failures import Failure, RequestFailedError
from tests.e2e.scripted import Reply, answer, scripted

BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x"}]}).encode()
COMPLETION = answer().raw
ERROR = json.dumps({"error": {"message": "no such luck"}}).encode()


def sent(reply: Reply, path: str = "/v1") -> Completion | Failure:
    """The outcome of a request with this reply: the same as the first of a run and after another one."""
    at_first = outcomes([reply], path)[-1]
    behind = outcomes([answer(), reply], path)[-1]
    assert re.sub(r":\d+", "", str(behind)) == re.sub(r":\d+", "", str(at_first))  # except for the ports
    return at_first


def outcomes(replies: list[Reply], path: str = "/v1") -> list[Completion | Failure]:
    """The outcomes of consecutive requests with these replies."""
    with scripted(lambda asked: replies[asked.number - 1]) as endpoint:
        url = endpoint.url.removesuffix("/v1") + path
        return asyncio.run(send_each(Endpoint(url, "k", on_loopback=True), len(replies)))


async def send_each(endpoint: Endpoint, times: int) -> list[Completion | Failure]:
    caller = Caller(endpoint, model="m", timeout_s=10, connections=1, on_headers=lambda _: None)
    found: list[Completion | Failure] = []
    for _ in range(times):
        try:
            found.append(await caller.send(BODY, timeout_s=10))
        except RequestFailedError as error:
            found.append(error.failure)
    await caller.close()
    return found


RAW_DEFLATE = zlib.compressobj(wbits=-15)
PACKED: list[tuple[str, bytes]] = [
    ("gzip", gzip.compress(COMPLETION)),
    ("gzip", gzip.compress(COMPLETION[:50]) + gzip.compress(COMPLETION[50:])),
    ("x-gzip", gzip.compress(COMPLETION)),
    ("deflate", zlib.compress(COMPLETION)),
    ("deflate", RAW_DEFLATE.compress(COMPLETION) + RAW_DEFLATE.flush()),
    ("gzip", COMPLETION),
    ("deflate", COMPLETION),
    ("utf-8", COMPLETION),
    ("none", COMPLETION),
    ("identity, gzip", gzip.compress(COMPLETION)),
    ("", b"\xef\xbb\xbf" + COMPLETION),
]


@pytest.mark.parametrize(("encoding", "body"), PACKED, ids=[f"{n}-{name}" for n, (name, _) in enumerate(PACKED)])
def test_an_answer_is_read_with_any_actual_or_claimed_encoding(encoding: str, body: bytes) -> None:
    completion = sent(Reply(200, body, {"content-encoding": encoding} if encoding else {}))
    assert isinstance(completion, Completion)
    assert completion.content == '{"category":"technical","percent":92}'


@pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "gzip, br"])
def test_a_refusal_that_cannot_be_decompressed_keeps_its_status(encoding: str) -> None:
    failure = sent(Reply(429, b"\x0b\x02\x80\x00", {"content-encoding": encoding, "retry-after": "3"}))
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.status, failure.wait_s) == ("rate_limit", 429, 3.0)


def test_an_answer_that_cannot_be_unpacked_is_none() -> None:
    failure = sent(Reply(200, b"\x0b\x02\x80\x00", {"content-encoding": "br"}))
    assert isinstance(failure, Failure)
    assert failure.kind == "not_a_completion"
    assert "'br'" in failure.message


@pytest.mark.parametrize("body", [gzip.compress(ERROR), b"\xef\xbb\xbf" + ERROR], ids=["packed", "marked"])
def test_a_refusals_text_is_read_in_any_encoding(body: bytes) -> None:
    headers = {"content-encoding": "gzip"} if body.startswith(b"\x1f") else {}
    failure = sent(Reply(400, body, headers))
    assert isinstance(failure, Failure)
    assert failure.message == "no such luck"


def test_long_headers_are_read() -> None:
    reply = answer()
    completion = sent(Reply(200, reply.body, {"content-security-policy": "x" * 60_000}))
    assert isinstance(completion, Completion)


@pytest.mark.parametrize(
    ("base", "proposed"), [("", "; try --base-url http://127.0.0.1:"), ("/v1", "no API at /v1/chat/completions")]
)
def test_a_missing_path_is_named_and_another_one_is_suggested(base: str, proposed: str) -> None:
    failure = sent(Reply(404, {"detail": "Not Found"}), base)
    assert isinstance(failure, Failure)
    assert proposed in failure.message
    assert ("try --base-url" in failure.message) == (not base)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:9/v1/chat/completions", "http://127.0.0.1:9/v1/v1", "http://127.0.0.1:9/v1/completions/"],
)
def test_a_base_url_with_an_endpoint_path_is_refused_with_the_right_one(url: str) -> None:
    with pytest.raises(UsageError) as refused:
        resolve_endpoint(url, None, model="m")
    assert refused.value.hint == "use --base-url http://127.0.0.1:9/v1"


@pytest.mark.parametrize("path", ["/v1", "/v1/", "", "/api/v1", "/openai/v1", "/v1beta/openai", "/compatible-mode/v1"])
def test_a_usual_base_url_is_accepted(path: str) -> None:
    assert resolve_endpoint(
        f"http://127.0.0.1:9{path}", None, model="m"
    ).base_url == f"http://127.0.0.1:9{path}".rstrip("/")


def test_an_unreadable_ca_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
    caller: Any = Caller(
        Endpoint("https://127.0.0.1:9/v1", "k"), model="m", timeout_s=1, connections=1, on_headers=print
    )
    with pytest.raises(UsageError, match=r"/nowhere/ca\.pem"):
        caller.open()


@pytest.mark.filterwarnings("ignore:BasicAuth", "ignore:The 'proxy_auth'")  # used by the SDK for the first request
def test_all_requests_go_through_a_proxy_with_its_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted(lambda _: answer()) as proxy:
        address = proxy.url.removesuffix("/v1").replace("http://", "http://user:word@")
        monkeypatch.setenv("HTTP_PROXY", address)
        found = asyncio.run(send_each(Endpoint("http://llm.invalid/v1", "k"), 3))
    assert [type(outcome) for outcome in found] == [Completion] * 3, found
    assert {asked.path for asked in proxy.asked} == {"http://llm.invalid/v1/chat/completions"}
    assert {asked.headers["Proxy-Authorization"] for asked in proxy.asked} == {"Basic dXNlcjp3b3Jk"}


def test_every_request_has_the_headers_that_the_sdk_set_on_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    with scripted(lambda _: answer()) as endpoint:
        asyncio.run(send_each(Endpoint(endpoint.url, "k", on_loopback=True), 3))
    first, *others = ({name.lower(): value for name, value in asked.headers.items()} for asked in endpoint.asked)
    assert first.pop("connection") == "keep-alive"  # the default in HTTP/1.1
    assert (first["authorization"], first["openai-organization"]) == ("Bearer k", "org-1")
    assert others == [first, first]


def test_cookies_are_not_sent_back() -> None:
    with scripted(lambda _: replace(answer(), headers={"Set-Cookie": "server=7; path=/"})) as endpoint:
        url = endpoint.url.replace("127.0.0.1", "localhost")  # no client keeps cookies of an IP address
        asyncio.run(send_each(Endpoint(url, "k", on_loopback=True), 3))
    assert [name for asked in endpoint.asked for name in asked.headers if name.lower() == "cookie"] == []
    assert len(endpoint.asked) == 3
