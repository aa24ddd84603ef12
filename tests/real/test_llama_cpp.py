"""Against llama.cpp's own server with a tiny random model. Optional: `make real` installs it and runs this."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.program import SAMPLE, Program, write_rows
from tests.ledgers import ledger_rows
from tests.real.serving import HERE, served

PYTHON, SCRIPT = os.environ.get("LLMBATCH_REAL", ""), "serve_llama_cpp.py"
pytestmark = pytest.mark.skipif(not PYTHON, reason="make real runs it")
KEY = "sk-llama-test"
Serve = Callable[[int], str]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny.gguf"
    subprocess.run([PYTHON, HERE / "tiny_model.py", path, SAMPLE], check=True)
    return path


@pytest.fixture
def serve(model: Path) -> Iterator[Serve]:
    """Start a server with `slots` slots; returns its base URL."""
    with ExitStack() as running:
        yield lambda slots: running.enter_context(served(PYTHON, SCRIPT, str(model), str(slots)))


def rows(llmbatch: Program, count: int, *more: dict[str, Any]) -> None:
    sample = [json.loads(line) for line in SAMPLE.read_bytes().splitlines()[:count]]
    write_rows(llmbatch.folder / "docs.jsonl", [*sample, *more])


def classify(llmbatch: Program, url: str, *arguments: str) -> dict[str, dict[str, Any]]:
    """A run's ledger lines, the last one of each row."""
    patient = ("--timeout", "300")  # the machine may be busy, and a slot answers one request at a time
    done = llmbatch("classify", "docs.jsonl", "--base-url", url, *patient, *arguments, OPENAI_API_KEY=KEY)
    assert done.code in (0, 3), done.err
    return {line["id"]: line for line in ledger_rows(llmbatch.folder / "docs.llmbatch" / "ledger.jsonl")}


LONG = {"id": "long", "text": "The server crashed again. " * 3000}


@pytest.mark.parametrize("slots", [1, 4])
def test_the_default_task_is_answered_with_labels(llmbatch: Program, serve: Serve, slots: int) -> None:
    rows(llmbatch, 12)
    lines = classify(llmbatch, serve(slots))
    assert {line["model"] for line in lines.values()} == {"tiny"}, "the only model that it serves"
    assert {line["parse"] for line in lines.values()} == {"clean"}
    assert sum(line["attempts"] for line in lines.values()) == 12, "nothing timed out and was resent"


def test_probabilities_from_before_the_grammar_are_not_taken_as_certain(llmbatch: Program, serve: Serve) -> None:
    rows(llmbatch, 4)
    lines = classify(llmbatch, serve(4), "--confidence", "logprobs")
    assert all(line["confidence_from"] == "logprobs" for line in lines.values())
    assert all(line["confidence"] < 0.5 and "labels_unlikely" in line["flags"] for line in lines.values())


def test_only_a_long_document_fails_and_it_can_be_cut_to_the_servers_count(llmbatch: Program, serve: Serve) -> None:
    rows(llmbatch, 4, LONG)
    url = serve(4)
    assert classify(llmbatch, url)["long"]["error"]["kind"] == "too_long"
    classify(llmbatch, url, "--truncate", "head")
    assert classify(llmbatch, url, "--truncate", "head")["long"]["status"] != "failed"


def test_a_restarted_server_gets_the_remaining_rows(llmbatch: Program, model: Path) -> None:
    rows(llmbatch, 4)
    with served(PYTHON, SCRIPT, str(model), "4") as url:
        classify(llmbatch, url)
    rows(llmbatch, 8)
    stopped = llmbatch("classify", "docs.jsonl", "--base-url", url, "--model", "tiny", OPENAI_API_KEY=KEY)
    assert stopped.code == 7
    with served(PYTHON, SCRIPT, str(model), "4") as url:
        assert len(classify(llmbatch, url, "--model", "tiny")) == 8


def test_one_model_embeds_documents_and_labels_them(llmbatch: Program, model: Path) -> None:
    rows(llmbatch, 4, LONG | {"text": "The server crashed again. " * 300})
    retrieved = ("--task", "banking77", "--candidates", "10", "--embedding-model", "tiny", "--model", "tiny")
    with served(PYTHON, SCRIPT, str(model), "4", "embeddings") as url:
        lines = classify(llmbatch, url, *retrieved)
    assert {line["status"] for line in lines.values()} == {"ok"}, "a text longer than one batch is shortened"
    assert all(len(line["ranking"]["category"]) == 20 for line in lines.values())


def test_a_server_without_embeddings_stops_the_run(llmbatch: Program, serve: Serve) -> None:
    rows(llmbatch, 4)
    done = llmbatch("classify", "docs.jsonl", "--base-url", serve(4), "--task", "banking77", "--candidates", "10",
                    "--embedding-model", "tiny", "--model", "tiny", OPENAI_API_KEY=KEY)  # fmt: skip
    assert (done.code, "model_not_found" in done.err) == (4, True), done.err
