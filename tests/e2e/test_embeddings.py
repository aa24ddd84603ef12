"""Labels retrieved by embeddings of the same endpoint: requests, costs and faults."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmbatch import Label, Labeler, classify
from llmbatch.analysis.gold import GoldOptions
from llmbatch.analysis.run_evaluation import evaluate_run
from llmbatch.core.errors import RunStopped, UsageError
from llmbatch.simulate.embeddings import EmbeddingRequest, embeddings_body
from llmbatch.task.load import load_task
from tests.analysis.conftest import rows_of
from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Program, write_rows
from tests.e2e.scripted import Asked, Reply, Scripted, answer, scripted
from tests.ledgers import ledger_rows

EMBEDDED: dict[str, Any] = {"task": "banking77", "candidates": 10, "embedding_model": "text-embedding-3-small"}
NAMES = [label.name for label in load_task("banking77").task.labels]
LABEL_REQUESTS = 8
"""For the labels and examples of banking77: 231 texts, 32 per request."""
TEXTS = ["My card has not arrived yet.", "Where can I see the exchange rate?", "I forgot my passcode."]


def vectors(asked: Asked, texts: list[str] | None = None) -> Reply:
    """The offline endpoint's answer to a request for embeddings."""
    given = asked.body["input"] if texts is None else texts
    body = embeddings_body(EmbeddingRequest("m", tuple(given), in_base64=False, azure=False), 10 * len(given))
    return Reply(200, body)


def embeds(asked: Asked) -> bool:
    return asked.path.endswith("/embeddings")


def first_listed(_: Asked) -> Reply:
    return answer('{"category": "1", "percent": 90}')


def embedding(script: Callable[[Asked], Reply]) -> Callable[[Asked], Reply]:
    """An endpoint that answers embedding requests by this script, and chooses the first label of each list."""
    return lambda asked: script(asked) if embeds(asked) else first_listed(asked)


def labelled(server: Scripted, folder: Path, texts: list[str], **options: Any) -> list[dict[str, Any]]:
    given = {"price": "1,1,1", "retry_wait_min": 0.001, "retry_wait_max": 0.002, **options}
    classify(texts, **EMBEDDED, base_url=server.url, out=folder, **given)
    return ledger_rows(folder / "ledger.jsonl")


def listed(asked: Asked) -> list[str]:
    return re.findall(r"^\d+\. (\w+)", asked.text, re.MULTILINE)


def test_the_nearest_labels_are_listed_and_the_ledger_records_how_they_were_ranked(
    tmp_path: Path, endpoint: StartEndpoint
) -> None:
    rows, server = rows_of("banking77")[:40], endpoint()
    options: dict[str, Any] = {**EMBEDDED, "base_url": server.url, "out": tmp_path / "run", "max_cost": 1,
                               "price": "0.1,0.01,0.5"}  # fmt: skip
    write_rows(tmp_path / "docs.jsonl", [{"id": row["id"], "text": row["text"]} for row in rows])
    classify(tmp_path / "docs.jsonl", **options)
    ledger = ledger_rows(tmp_path / "run" / "ledger.jsonl")
    assert server.requests == sum(line["attempts"] for line in ledger)
    assert server.stats["embeddings"] == 40 + LABEL_REQUESTS, "a document is embedded once, and so are the labels"
    assert ledger[0]["attempts"] == 2 + LABEL_REQUESTS, "the row that needed them first pays for them"
    for line in ledger:
        ranked = line["ranking"]["category"]
        assert len(ranked) == len(set(ranked)) == 20
        assert NAMES.index(line["category"]) in ranked

    classify(tmp_path / "docs.jsonl", **options)
    assert server.requests == sum(line["attempts"] for line in ledger), "nothing is sent again"

    write_rows(tmp_path / "gold.jsonl", [{"id": row["id"], "label": row["gold"]} for row in rows])
    evaluation = evaluate_run(tmp_path / "run", GoldOptions(str(tmp_path / "gold.jsonl")), wanted=0.9)
    assert evaluation.candidates is not None
    recall_counts = {one.labels: one.recall.count for one in evaluation.candidates.at}
    gold = {row["id"]: NAMES.index(row["gold"]) for row in rows}
    for count in (1, 5, 10, 20):
        assert recall_counts[count] == sum(gold[line["id"]] in line["ranking"]["category"][:count] for line in ledger)
    assert recall_counts[10] > 28, "feature vectors find labels, too"


def test_the_cost_of_embeddings_is_in_the_estimate_the_totals_and_the_limit(
    tmp_path: Path, endpoint: StartEndpoint, llmbatch: Program
) -> None:
    rows, url = rows_of("banking77")[:100], endpoint().url
    write_rows(tmp_path / "docs.jsonl", [{"id": row["id"], "text": row["text"]} for row in rows])
    options = ("--task", "banking77", "--candidates", "10", "--embedding-model", "text-embedding-3-small", "--base-url",
               url, "--price", "0.1,0.01,0.5")  # fmt: skip
    estimated = llmbatch("estimate", "docs.jsonl", *options, "--exact", "--json").json["models"][0]
    assert llmbatch("classify", "docs.jsonl", *options, "--out", "run", "--max-cost", "1").code == 0
    ledger = ledger_rows(tmp_path / "run" / "ledger.jsonl")
    billed = sum(line["cost_usd"] for line in ledger)
    again = sum(line["attempts"] - 2 for line in ledger[1:]) * 800 * 0.1 / 1e6
    assert estimated["cost_usd"]["expected"] == pytest.approx(billed - again, rel=0.05)
    (control, embedded) = estimated["arms"]
    assert (control["arm"], embedded["arm"], embedded["model"]) == ("control", "embedding", "text-embedding-3-small")
    assert 0 < embedded["cost_usd"]["expected"] < control["cost_usd"]["expected"] / 10, "by its own published price"
    shown = llmbatch("estimate", "docs.jsonl", *options)
    assert "embedding" in shown.out


def test_a_limit_counts_embeddings_and_is_never_exceeded(tmp_path: Path) -> None:
    with scripted(embedding(vectors)) as server, pytest.raises(RunStopped, match="max-cost"):
        classify([f"Card number {n}." for n in range(50)], **{**EMBEDDED, "embedding_model": "own"}, model="own-2",
                 base_url=server.url, out=tmp_path / "run", price="1,1,1", max_cost=0.03)  # fmt: skip
    lines = ledger_rows(tmp_path / "run" / "ledger.jsonl")
    assert 0.01 < sum(line["cost_usd"] for line in lines) <= 0.03
    assert sum(line["attempts"] for line in lines) == len(server.asked)


def test_a_model_without_a_known_price_is_not_called_under_a_limit(tmp_path: Path, endpoint: StartEndpoint) -> None:
    with pytest.raises(UsageError, match="the price of nomic-embed is unknown"):
        classify(TEXTS, **{**EMBEDDED, "embedding_model": "nomic-embed"}, base_url=endpoint().url, out=tmp_path / "run",
                 model="gpt-4o-mini", max_cost=1)  # fmt: skip


def test_one_model_may_do_both(tmp_path: Path, endpoint: StartEndpoint) -> None:
    """One's own server may serve everything under one name."""
    server = endpoint()
    run = classify(TEXTS, **{**EMBEDDED, "embedding_model": "local"}, model="local", base_url=server.url,
                   out=tmp_path / "run")  # fmt: skip
    assert run.ok
    assert server.stats["embeddings"] == 3 + LABEL_REQUESTS


def test_a_none_of_these_answer_lists_the_next_nearest_without_another_vector(tmp_path: Path) -> None:
    def script(asked: Asked) -> Reply:
        if embeds(asked):
            return vectors(asked)
        return answer('{"category": "none", "percent": 90}') if asked.number % 2 else first_listed(asked)

    with scripted(script) as server:
        (line,) = labelled(server, tmp_path / "run", TEXTS[:1])
        first, *second = [listed(asked) for asked in server.asked if not embeds(asked)]
    assert sum(map(embeds, server.asked)) == 1 + LABEL_REQUESTS
    ranked = [NAMES[place] for place in line["ranking"]["category"]]
    assert [first, *second] in ([ranked[:10]], [ranked[:10], ranked[10:]])


@pytest.mark.parametrize(
    ("refusal", "message"),
    [
        (400, "Value error, batch size is invalid, it should not be larger than 10.: input.contents"),
        (422, "batch size 32 > maximum allowed batch size 10"),
        (400, "Too many inputs in request, split into more batches."),
    ],
)
def test_a_model_that_accepts_few_texts_per_request_gets_few(tmp_path: Path, refusal: int, message: str) -> None:
    def script(asked: Asked) -> Reply:
        few = len(asked.body["input"]) <= 10
        return vectors(asked) if few else Reply(refusal, {"error": {"message": message, "type": "invalid"}})

    with scripted(embedding(script)) as server:
        lines = labelled(server, tmp_path / "run", TEXTS)
        sizes = [len(asked.body["input"]) for asked in server.asked if embeds(asked)]
    assert [line["status"] for line in lines] == ["ok"] * 3
    assert sizes[:4] == [1, 32, 16, 8]
    assert max(sizes[4:]) == 16, "the other half of the first request"
    assert sizes.count(32) == 1


@pytest.mark.parametrize("status", [400, 413, 500])
def test_a_text_longer_than_the_model_accepts_is_shortened(tmp_path: Path, status: int) -> None:
    """The window of many embedding models is 512 tokens; llama.cpp says so with 500."""

    def script(asked: Asked) -> Reply:
        longest = max(map(len, asked.body["input"]))
        message = "input (992 tokens) is too large to process. increase the physical batch size"
        return vectors(asked) if longest <= 600 else Reply(status, {"error": {"message": message}})

    with scripted(embedding(script)) as server:
        lines = labelled(server, tmp_path / "run", ["card " * 1000, "money " * 1000])
        sizes = [max(map(len, asked.body["input"])) for asked in server.asked if embeds(asked)]
        whole = [asked.text for asked in server.asked if not embeds(asked)]
    assert [line["status"] for line in lines] == ["ok", "ok"]
    assert sizes[:3] == [2000, 1000, 500]
    assert max(sizes[3:]) <= 500, "the limit is known from then on"
    assert all("card " * 1000 in text or "money " * 1000 in text for text in whole), "the document itself is sent whole"


def test_an_endpoint_without_embeddings_stops_the_run_at_once(tmp_path: Path) -> None:
    def script(_: Asked) -> Reply:
        return Reply(501, {"error": {"code": 501, "message": "This server does not support embeddings. Start it with "
                                     "`--embeddings`", "type": "not_supported_error"}})  # fmt: skip

    with scripted(embedding(script)) as server, pytest.raises(RunStopped, match="does not support embeddings"):
        labelled(server, tmp_path / "run", TEXTS)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"data": [{"index": 0, "embedding": [0.1, None]}]},
        {"data": []},
        {"object": "list"},
        {"data": [{"index": 0, "embedding": "not base64"}]},
        "<html>",
    ],
)
def test_a_response_without_vectors_is_retried(tmp_path: Path, body: Any) -> None:
    def script(asked: Asked) -> Reply:
        return Reply(200, body) if asked.text.startswith("My card") and asked.times < 3 else vectors(asked)

    with scripted(embedding(script)) as server:
        lines = labelled(server, tmp_path / "run", [TEXTS[1], TEXTS[0]])
    assert [line["status"] for line in lines] == ["ok", "ok"]
    assert [retry["error"] for retry in lines[1]["retries"]] == ["not_a_completion"] * 2
    assert lines[1]["attempts"] == 4


def test_a_response_with_fewer_vectors_than_texts_is_unusable(tmp_path: Path) -> None:
    def script(asked: Asked) -> Reply:
        return vectors(asked, asked.body["input"][1:]) if len(asked.body["input"]) > 1 else vectors(asked)

    with scripted(embedding(script)) as server:
        lines = labelled(server, tmp_path / "run", TEXTS)
    for line in lines:
        assert line["error"]["message"] == "the endpoint returned 200 with 31 embeddings of 32 texts"


def test_labels_are_embedded_once_even_if_the_row_that_needed_them_fails(tmp_path: Path) -> None:
    def script(asked: Asked) -> Reply:
        of_labels = [one.number for one in server.asked if embeds(one) and "\n" in one.text]
        return Reply(500, {"error": {"message": "oops"}}) if of_labels[4:] == [asked.number] else vectors(asked)

    with scripted(embedding(script)) as server:
        lines = labelled(server, tmp_path / "run", TEXTS, attempts=1)
        asked = [one.text for one in server.asked if embeds(one) and "\n" in one.text]
    assert [line["status"] for line in lines] == ["failed", "ok", "ok"]
    assert len(asked) == LABEL_REQUESTS + 1, "only the request that failed is sent again"
    assert len(set(asked)) == LABEL_REQUESTS


def test_a_row_whose_vector_is_refused_fails_alone_and_records_no_answer(tmp_path: Path) -> None:
    def script(asked: Asked) -> Reply:
        if asked.text == TEXTS[1]:
            return Reply(400, {"error": {"message": "no such text", "code": "bad"}})
        return vectors(asked)

    with scripted(embedding(script)) as server:
        lines = labelled(server, tmp_path / "run", TEXTS)
    assert sorted(line["status"] for line in lines) == ["failed", "ok", "ok"]
    (failed,) = [line for line in lines if line["status"] == "failed"]
    assert failed["error"]["kind"] == "bad_request"
    assert {"answer", "response_model", "ranking"}.isdisjoint(failed)


def test_a_row_whose_label_is_refused_still_pays_for_its_vector(tmp_path: Path) -> None:
    def script(asked: Asked) -> Reply:
        if embeds(asked):
            return vectors(asked)
        return Reply(400, {"error": {"message": "no", "code": "content_filter"}}) if TEXTS[1] in asked.text else (
            first_listed(asked))  # fmt: skip

    with scripted(script) as server:
        lines = labelled(server, tmp_path / "run", TEXTS)
    (failed,) = [line for line in lines if line["status"] == "failed"]
    assert failed["attempts"] == 2
    assert failed["input_tokens"] == 10
    assert "response_model" not in failed, "the model of the vector says nothing about the label"


def test_faults_of_the_endpoint_are_survived_in_both_kinds_of_requests(tmp_path: Path, endpoint: StartEndpoint) -> None:
    server = endpoint("--fault", "mixed=30%", "--seed", "3")
    texts = [f"{text} ({n})" for n in range(20) for text in TEXTS]
    classify(texts, **EMBEDDED, base_url=server.url, out=tmp_path / "run", retry_wait_min=0.001,
             retry_wait_max=0.01, attempts=8, timeout=5, stop_at_failures="50%")  # fmt: skip
    ledger = ledger_rows(tmp_path / "run" / "ledger.jsonl")
    assert len({line["row"] for line in ledger}) == 60
    assert sum(line["attempts"] for line in ledger) == server.requests


def test_fields_are_ranked_by_the_same_vector(tmp_path: Path, endpoint: StartEndpoint) -> None:
    fields = []
    for name, kind in (("topic", "single"), ("tags", "multi")):
        labels = ", ".join(f'{{ name = "{name} {n}", description = "word{n}" }}' for n in range(30))
        fields.append(f'[[fields]]\nname = "{name}"\nkind = "{kind}"\nlabels = [{labels}]')
    (tmp_path / "t.toml").write_text(
        "\n".join(['name = "t"', "[model]", "candidates = 5", 'embedding_model = "m"', *fields])
    )
    server = endpoint()
    classify([f"About word{n}." for n in range(5)], task=tmp_path / "t.toml", base_url=server.url,
             out=tmp_path / "run")  # fmt: skip
    for line in ledger_rows(tmp_path / "run" / "ledger.jsonl"):
        assert {name: places[0] for name, places in line["ranking"].items()} == dict.fromkeys(
            ("topic", "tags"), line["row"]
        )
    assert server.stats["embeddings"] == 5 + 2, "60 labels, 32 per request"


def test_a_labeler_retrieves_labels_too(endpoint: StartEndpoint) -> None:
    server = endpoint()

    async def label() -> list[Label]:
        async with Labeler(base_url=server.url, **EMBEDDED) as labeler:
            return await asyncio.gather(*map(labeler.label, TEXTS))

    assert [label.category in NAMES for label in asyncio.run(label())] == [True] * 3
    assert server.stats["embeddings"] == 3 + LABEL_REQUESTS


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--embedding-model", "m"), "--embedding-model retrieves labels"),
        (("--embedding-model", "m", "--candidates", "all"), "--embedding-model retrieves labels"),
        (("--embedding-model", "m", "--candidates", "10", "--dialect", "anthropic-messages"), "has no embeddings"),
        (("--embedding-model", "m", "--candidates", "10", "--batch"), "--batch cannot be combined"),
        (("--embedding-model", "m", "--candidates", "10", "--rows-per-request", "5"), "retrieved for each document"),
    ],
)
def test_incompatible_options_are_refused_before_anything_is_sent(
    llmbatch: Program, endpoint: StartEndpoint, options: tuple[str, ...], message: str
) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", [{"text": "A card."}])
    server = endpoint()
    refused = llmbatch("classify", "docs.jsonl", "--task", "banking77", "--base-url", server.url, *options)
    assert refused.code == 2
    assert message in " ".join(refused.err.split())
    assert server.requests == 0
