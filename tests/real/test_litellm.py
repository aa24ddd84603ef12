"""Against a real litellm proxy with mock models. Optional: `make real` installs it and runs this."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.program import Done, Program, documents, write_rows
from tests.ledgers import ledger_rows
from tests.real.serving import served

PYTHON = os.environ.get("LLMBATCH_REAL_PROXY", "")
KEY = "sk-litellm-test"
ANSWER = '{"category":"technical","percent":92}'
pytestmark = pytest.mark.skipif(not PYTHON, reason="make real runs it")


def model(name: str, response: str = ANSWER, of: str = "openai/gpt-4o-mini", **more: Any) -> dict[str, Any]:
    return {"model_name": name, "litellm_params": {"model": of, "api_key": "none", "mock_response": response, **more}}


MODELS = [
    model("fast"),
    model("priced", of="openai/own", input_cost_per_token=1e-6, output_cost_per_token=2e-6),
    model("counted", rpm=6000, tpm=60_000_000),
    model("invented", '{"category":"marvellous","percent":92}'),
    model("limited", "litellm.RateLimitError"),
    model("broken", "litellm.InternalServerError"),
    model("too-long", "litellm.ContextWindowExceededError"),
]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("proxy") / "config.yaml"  # JSON is a subset of YAML
    path.write_text(json.dumps({"model_list": MODELS, "general_settings": {"master_key": KEY}}))
    return str(path)


@pytest.fixture(scope="module")
def proxy(config: str) -> Iterator[str]:
    with served(PYTHON, "serve_litellm.py", config) as url:
        yield url


def classify(llmbatch: Program, url: str, name: str, *arguments: str, key: str = KEY) -> Done:
    write_rows(llmbatch.folder / "docs.jsonl", documents(12))
    command = ("classify", "docs.jsonl", "--base-url", url, "--model", name, "--retry-wait-max", "1", "--max-wait", "5")
    return llmbatch(*command, *arguments, OPENAI_API_KEY=key)


def lines(llmbatch: Program) -> list[dict[str, Any]]:
    return ledger_rows(Path(llmbatch.folder, "docs.llmbatch", "ledger.jsonl"))


@pytest.mark.parametrize("name", ["fast", "counted"])
def test_rows_are_labelled(llmbatch: Program, proxy: str, name: str) -> None:
    done = classify(llmbatch, proxy, name)
    assert done.code == 0, done.err
    assert {(line["category"], line["attempts"]) for line in lines(llmbatch)} == {("technical", 1)}


def test_the_proxys_own_cost_is_used_if_no_price_is_known(llmbatch: Program, proxy: str) -> None:
    assert classify(llmbatch, proxy, "priced").code == 0
    for line in lines(llmbatch):
        assert line["cost_usd"] == pytest.approx(line["input_tokens"] * 1e-6 + line["output_tokens"] * 2e-6, abs=1e-9)


def test_an_alias_without_a_price_stops_a_limited_run(llmbatch: Program, proxy: str) -> None:
    done = classify(llmbatch, proxy, "priced", "--max-cost", "1")
    assert (done.code, "--price" in done.err) == (2, True), done.err
    assert classify(llmbatch, proxy, "priced", "--max-cost", "1", "--price", "1,1,2").code == 0


def test_an_invented_label_fails_its_row(llmbatch: Program, proxy: str) -> None:
    assert classify(llmbatch, proxy, "invented", "--stop-at-invalid", "100%").code == 3
    assert {line["error"]["kind"] for line in lines(llmbatch)} == {"invalid"}


@pytest.mark.parametrize(("name", "code"), [("limited", 7), ("broken", 7), ("too-long", 3)])
def test_a_failure_behind_the_proxy_is_recognised(llmbatch: Program, proxy: str, name: str, code: int) -> None:
    done = classify(llmbatch, proxy, name)
    assert done.code == code, done.err
    assert "Traceback" not in done.err


def test_a_wrong_key_and_a_wrong_model_stop_the_run(llmbatch: Program, proxy: str) -> None:
    for done in (classify(llmbatch, proxy, "fast", key="sk-wrong"), classify(llmbatch, proxy, "absent")):
        assert done.code == 4, done.err


def test_missing_probabilities_are_flagged(llmbatch: Program, proxy: str) -> None:
    assert classify(llmbatch, proxy, "fast", "--confidence", "logprobs").code == 0
    assert all("logprobs_missing" in line["flags"] for line in lines(llmbatch))


def test_a_restarted_proxy_gets_the_remaining_rows(llmbatch: Program, config: str) -> None:
    with served(PYTHON, "serve_litellm.py", config) as url:
        assert classify(llmbatch, url, "fast").code == 0
    write_rows(llmbatch.folder / "docs.jsonl", documents(20))
    stopped = llmbatch(
        "classify", "docs.jsonl", "--base-url", url, "--model", "fast", "--max-wait", "2", OPENAI_API_KEY=KEY
    )
    assert stopped.code == 7, stopped.err
    with served(PYTHON, "serve_litellm.py", config) as url:
        done = llmbatch("classify", "docs.jsonl", "--base-url", url, "--model", "fast", OPENAI_API_KEY=KEY)
    assert done.code == 0, done.err
    assert len({line["key"] for line in lines(llmbatch)}) == 20
