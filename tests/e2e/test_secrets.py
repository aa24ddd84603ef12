"""A server that echoes the key wherever it can: nothing written or shown contains it."""

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest

from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Program, documents, views, write_rows

KEY = "0a1b2c3d4e5f+6a7b8c9d0e1f/2a3b4c5d6e7f=="


def answer(content: str, *, finish_reason: str = "stop") -> tuple[int, Any]:
    message = {"role": "assistant", "content": content}
    return 200, {
        "id": f"chatcmpl-{KEY}",
        "model": f"model-{KEY}",
        "system_fingerprint": KEY,
        "service_tier": KEY,
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13},
    }


def error(status: int, message: str) -> tuple[int, Any]:
    return status, {"error": {"message": message, "type": KEY, "code": KEY, "param": None}}


def labelled(**more: Any) -> str:
    return json.dumps({"category": "technical", "confidence": 0.9, **more})


REPLIES = [
    answer(labelled(reasoning=f"the key is {KEY}")),
    answer(f"```json\n{labelled(reasoning=KEY)}\n``` {KEY}"),
    answer(labelled(), finish_reason=KEY),
    answer(json.dumps({"category": KEY, "confidence": 0.9})),
    answer('{"category": "' + "".join(f"\\u{ord(c):04x}" for c in KEY) + '"'),
    answer(""),
    error(400, f"bad key {KEY} in {quote(KEY, safe='')}"),
    error(422, f"no such thing: {KEY[:20]}"),
    error(500, json.dumps({"key": KEY}).replace("/", "\\/")),
    error(409, "half of it: " + KEY[:4] + "*****" + KEY[-4:]),
    (200, f"<html>{KEY}"),
    (502, KEY),
    error(401, f"Incorrect API key provided: {KEY}"),
]


@pytest.fixture
def echo() -> Iterator[str]:
    numbers = count()

    class Echo(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            assert self.headers["authorization"] == f"Bearer {KEY}"
            status, reply = REPLIES[min(next(numbers), len(REPLIES) - 1)]
            body = (reply if isinstance(reply, str) else json.dumps(reply)).encode()
            self.send_response(status, KEY)
            for name, value in {"x-request-id": KEY, "content-length": str(len(body)), "retry-after": KEY}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Log nothing."""

    server = HTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/{KEY}/v1"
    server.shutdown()
    thread.join()
    server.server_close()


def test_nothing_written_or_shown_contains_the_key(llmbatch: Program, echo: str, tmp_path: Path) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", documents(len(REPLIES)))
    options = (
        "--concurrency",
        "1",
        "--attempts",
        "1",
        "--reask",
        "0",
        "--reasoning",
        "--log-file",
        "log.jsonl",
        "--json",
    )
    done = llmbatch("classify", "docs.jsonl", "--base-url", echo, *options, OPENAI_API_KEY=KEY)
    assert done.code == 3, done.err
    shown = llmbatch("show", "docs.llmbatch", "--json")
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "docs.jsonl"]
    written = {path.name: path.read_text() for path in files} | {
        "stdout": done.out,
        "stderr": done.err,
        "show": shown.out,
    }
    assert {"ledger.jsonl", "run.json", "results.jsonl", "failed.jsonl", "log.jsonl"} <= written.keys()
    for name, text in written.items():
        plain = unquote(re.sub(r"\\+u00([0-9a-fA-F]{2})", lambda m: chr(int(m[1], 16)), text)).replace("\\", "")
        assert KEY not in plain, name
        assert not [piece for at in range(len(KEY) - 11) if (piece := KEY[at : at + 12]) in plain], name
    kinds = [json.loads(line)["error"]["kind"] for line in written["failed.jsonl"].splitlines()]
    assert {"invalid", "empty", "bad_request", "server_error", "conflict", "not_a_completion"} <= set(kinds)


@pytest.mark.parametrize(
    ("key", "labels"),
    [
        ("test", ("test", "latest")),
        ("offline", ("online", "offline")),
        ("technical-support-key", ("technical-support-key", "other")),
        ("category", ("category one", "category two")),
        ("{", ("x", "y")),
        ("not-needed", ("needed", "not-needed")),
    ],
)
def test_a_key_that_occurs_in_labels_and_answers_changes_no_label(
    llmbatch: Program, endpoint: StartEndpoint, key: str, labels: tuple[str, str]
) -> None:
    task = "\n".join(f'[[labels]]\nname = "{name}"\ndescription = "About {name}."\n' for name in labels)
    (llmbatch.folder / "task.toml").write_text(f'name = "t"\ninstructions = "Sort."\n{task}')
    write_rows(llmbatch.folder / "docs.jsonl", documents(8))
    server = endpoint()
    command = ("classify", "docs.jsonl", "--prompt", "task.toml", "--base-url", server.url, "--json", "--reasoning")
    found = llmbatch(*command, OPENAI_API_KEY=key)
    assert (found.code, found.json["parse"], server.requests) == (0, {"clean": 8}, 8), found.err
    assert {row["category"] for row in views(llmbatch.folder / "docs.llmbatch")["results"]} <= set(labels)


def test_plain_http_on_a_network_gives_a_warning_and_to_a_public_host_is_refused(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", documents(1))
    server = endpoint()
    here, network = server.url, server.url.replace("127.0.0.1", "0.0.0.0")
    assert "plain http" not in llmbatch("classify", "docs.jsonl", "--base-url", here, "--out", "a").err
    assert (
        "plain http" in llmbatch("classify", "docs.jsonl", "--base-url", network, "--out", "b", OPENAI_API_KEY=KEY).err
    )
    public = ("--base-url", "http://127.evil.example/v1", "--out", "c")
    refused = llmbatch("classify", "docs.jsonl", *public, OPENAI_API_KEY=KEY)
    assert (refused.code, "--insecure-http" in refused.err, (llmbatch.folder / "c").exists()) == (2, True, False)
