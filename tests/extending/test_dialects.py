"""Wire protocols from other packages: used everywhere on the wire and in row keys."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.engine.plan import ModelChoice, make_plan
from llmbatch.provider.completion import NotACompletionError
from llmbatch.provider.dialect import CHAT_COMPLETIONS
from llmbatch.provider.plugged import dialect_named
from llmbatch.task.load import load_task
from tests.e2e.conftest import StartEndpoint
from tests.e2e.json_server import JsonServer, json_server
from tests.e2e.program import Program, documents, views, write_rows
from tests.extending.conftest import Site

GROUP = "[llmbatch.dialects]\none = acme:ONE\n"
ONE = "from llmbatch.extending import ChatCompletions\nclass One(ChatCompletions):\n {}\nONE = One()\n"


def answer_of(request: dict[str, Any]) -> tuple[int, Any]:
    """Answer with the first label of the schema, like a model with constrained output."""
    label = request["format"]["properties"]["category"]["enum"][0]
    return 200, {
        "model": request["model"],
        "message": {"role": "assistant", "content": json.dumps({"category": label, "percent": 90})},
        "done": True,
        "done_reason": "stop",
        "prompt_eval_count": 1600,
        "eval_count": 12,
    }


@pytest.fixture
def ollama() -> Iterator[JsonServer]:
    with json_server("/api/chat", answer_of) as server:
        yield server


def run(program: Program, server: JsonServer, *more: str) -> Any:
    command = ("classify", "docs.jsonl", "--dialect", "ollama", "--base-url", server.url, "--model", "llama3.2")
    return program(*command, *more, OPENAI_API_KEY="sk-not-for-ollama")


def test_a_run_uses_ollamas_own_protocol_and_resumes_with_it(extended: Program, ollama: JsonServer) -> None:
    write_rows(extended.folder / "docs.jsonl", documents(4))
    done = run(extended, ollama)
    assert done.code == 0, done.err
    folder = extended.folder / "docs.llmbatch"
    results = views(folder)["results"]
    assert len(results) == len(ollama.requests) == 4
    request = ollama.requests[0]
    assert (request["stream"], request["options"]["num_ctx"], request["options"]["temperature"]) == (False, 16_384, 0)
    assert request["messages"][1]["content"].count(documents(1)[0]["text"]) == 1
    assert all("authorization" not in headers for headers in ollama.headers)
    assert run(extended, ollama).code == 0
    assert len(ollama.requests) == 4, "nothing is left to send"
    assert extended("show", folder).code == 0
    assert extended("estimate", "docs.jsonl", "--dialect", "ollama", "--base-url", ollama.url).code == 0


def test_a_retry_uses_the_runs_dialect(extended: Program, ollama: JsonServer) -> None:
    write_rows(extended.folder / "docs.jsonl", documents(2))
    usual_answer = answer_of
    ollama.answer = lambda request: (200, usual_answer(request)[1] | {"message": {"content": "I do not know."}})
    assert run(extended, ollama, "--reask", "0", "--stop-at-invalid", "100%").code == 3
    ollama.answer = usual_answer
    done = extended("retry", "docs.llmbatch", "--base-url", ollama.url)
    assert (done.code, len(ollama.requests)) == (0, 4), done.err


def test_its_refusals_and_unreadable_answers_are_handled_as_usual(extended: Program, ollama: JsonServer) -> None:
    write_rows(extended.folder / "docs.jsonl", documents(2))
    ollama.answer = lambda _: (404, {"error": "model 'llama3.2' not found, try pulling it first"})
    done = run(extended, ollama)
    assert (done.code, "llama3.2" in done.err, len(ollama.requests)) == (4, True, 1), done.err
    ollama.answer = lambda _: (200, {"message": {}})
    done = run(extended, ollama)
    assert (done.code, "dialect 'ollama' cannot read (KeyError('content'))" in done.err) == (4, True), done.err


def test_a_dialect_of_another_protocol_needs_a_base_url_and_refuses_offline(extended: Program) -> None:
    write_rows(extended.folder / "docs.jsonl", documents(1))
    done = extended("classify", "docs.jsonl", "--dialect", "ollama", OPENAI_API_KEY="sk-1")
    assert (done.code, "--base-url" in done.err) == (2, True), done.err
    done = extended("classify", "docs.jsonl", "--dialect", "ollama", "--offline")
    assert (done.code, "does not speak ollama" in done.err) == (2, True), done.err
    done = extended("classify", "docs.jsonl", "--dialect", "soap", "--base-url", "http://127.0.0.1:9")
    assert (done.code, "chat-completions, anthropic-messages, ollama" in done.err) == (2, True), done.err


def test_a_dialect_changes_the_keys_and_openais_keys_are_stable() -> None:
    task = load_task(None)
    plain = make_plan(task, ModelChoice("m"), offline=False)
    assert plain.key("x") == make_plan(task, ModelChoice("m", dialect="chat-completions"), offline=False).key("x")
    assert plain.key("x") != make_plan(task, ModelChoice("m", dialect="ollama"), offline=False).key("x")
    assert plain.fingerprint == "e3042ba41965c74cc671e48d6cc3cb34", "runs of earlier versions can be resumed"


@pytest.mark.parametrize(
    "mistake",
    [
        "def path(self, model, **_): 1 / 0",
        "def headers(self, api_key): 1 / 0",
        "def encoder(self, question): 1 / 0",
        "def judge_answer(self, completion): 1 / 0",
        "def limits(self, headers): 1 / 0",
    ],
)
def test_a_plug_in_error_ends_the_run_with_one_line(
    extended: Program, endpoint: StartEndpoint, site: Site, mistake: str
) -> None:
    site.install("acme", GROUP, {"acme": ONE.format(mistake)})
    write_rows(extended.folder / "docs.jsonl", documents(3))
    command = ("classify", "docs.jsonl", "--dialect", "one", "--base-url", endpoint().url)
    done = extended(*command, PYTHONPATH=str(site.path), OPENAI_API_KEY="sk-1")
    assert (done.code, "Traceback" in done.err) == (2, False), done.err
    assert "plug-in 'one' of acme 1.0 cannot be used (ZeroDivisionError: division by zero)" in done.err


def test_a_wrong_return_type_is_reported(site: Site) -> None:
    site.install("acme", GROUP, {"acme": ONE.format("def decode(self, body, headers): return {}")})
    with pytest.raises(UsageError, match="returned dict instead of a Completion"):
        dialect_named("one").decode(b"{}", {})
    assert dialect_named("chat-completions") is CHAT_COMPLETIONS


def test_an_answer_without_choices_is_refused_as_usual(site: Site) -> None:
    site.install("acme", GROUP, {"acme": ONE.format("x = 1")})
    with pytest.raises(NotACompletionError, match="no choices"):
        dialect_named("one").decode(b"{}", {})


@pytest.mark.parametrize(
    ("code", "reason"), [("class ONE: pass", "is a class"), ("ONE = object()", "has no method 'path'")]
)
def test_an_invalid_dialect_is_refused(site: Site, code: str, reason: str) -> None:
    site.install("acme", GROUP, {"acme": code})
    with pytest.raises(UsageError, match=reason):
        dialect_named("one")
