"""Labels retrieved for each document, from the first run to evaluation."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from llmbatch import classify
from llmbatch.analysis.gold import GoldOptions
from llmbatch.analysis.run_evaluation import evaluate_run
from llmbatch.core.errors import RunStopped
from llmbatch.observe.events import Event
from llmbatch.observe.observer import Observer
from llmbatch.runs.folder import RunFolder, load_record
from llmbatch.task.candidates import Candidates
from llmbatch.task.load import load_task
from tests.analysis.conftest import rows_of
from tests.analysis.test_evaluate_run import rendered
from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Program, read_rows, write_rows
from tests.e2e.scripted import Asked, Reply, Scripted, scripted
from tests.ledgers import ledger_rows
from tests.task.test_candidates import FIELDS, made_task


class Recorder(Observer):
    """Keeps a run's events."""

    def __init__(self, events: list[Event]) -> None:
        self._events = events

    def event(self, event: Event) -> None:
        self._events.append(event)


def listed(asked: Asked) -> list[str]:
    """The names on the list in front of a document."""
    return re.findall(r"^\d+\. (\w+)", asked.text, re.MULTILINE)


def answer(category: str, percent: int = 80) -> Reply:
    content = json.dumps({"category": category, "percent": percent})
    usage = {"prompt_tokens": 500, "completion_tokens": 10}
    return Reply(200, {"model": "m", "choices": [{"message": {"content": content}, "finish_reason": "stop"}],
                       "usage": usage})  # fmt: skip


def labelled(server: Scripted, folder: Path, texts: list[str], **options: Any) -> list[dict[str, Any]]:
    classify(texts, task="banking77", candidates=10, base_url=server.url, out=folder, price="1,1,1", **options)
    return ledger_rows(folder / "ledger.jsonl")


def test_rows_get_labels_from_their_own_lists_and_evaluation_shows_what_the_search_finds(
    tmp_path: Path, endpoint: StartEndpoint
) -> None:
    rows, server, events = rows_of("banking77")[:40], endpoint(), list[Event]()
    documents = [{"id": row["id"], "text": row["text"]} for row in rows]
    options: dict[str, Any] = {"task": "banking77", "base_url": server.url, "out": tmp_path / "run"}
    write_rows(tmp_path / "docs.jsonl", documents)
    classify(tmp_path / "docs.jsonl", **options, candidates=10, observer=Recorder(events))
    assert any("10 labels are retrieved for each document (of 77)" in event.message for event in events)
    candidates = Candidates(load_task("banking77").task, 10)
    texts = {row["id"]: row["text"] for row in rows}
    for line in ledger_rows(tmp_path / "run" / "ledger.jsonl"):
        assert line["category"] in candidates.shortlist(texts[line["id"]]).names["category"]
    classify(tmp_path / "docs.jsonl", **options, candidates=10)
    assert server.requests == 40, "a row gets the same list again, and so the same key"

    write_rows(tmp_path / "gold.jsonl", [{"id": row["id"], "label": row["gold"]} for row in rows])
    evaluation = evaluate_run(tmp_path / "run", GoldOptions(str(tmp_path / "gold.jsonl")), wanted=0.9)
    assert evaluation.candidates is not None
    recalls = {one.labels: one.recall for one in evaluation.candidates.at}
    by_hand = sum(row["gold"] in candidates.shortlist(row["text"]).names["category"] for row in rows)
    assert (recalls[10].count, recalls[10].total) == (by_hand, 40)
    assert recalls[1].count <= recalls[5].count <= recalls[10].count <= recalls[20].count
    assert "Labels retrieved for a document" in rendered(evaluation)

    classify(tmp_path / "docs.jsonl", **options, candidates=5)
    assert server.requests == 80, "another list gives another key"


def test_a_none_of_these_answer_widens_the_search_once(tmp_path: Path) -> None:
    def script(asked: Asked) -> Reply:
        return answer("none" if "card_arrival" in listed(asked) else "3")

    with scripted(script) as server:
        (line,) = labelled(server, tmp_path / "run", ["My card has not arrived."])
        first, second = map(listed, server.asked)
    assert set(first).isdisjoint(second)
    assert line["category"] == second[2]
    assert (line["attempts"], line["input_tokens"], line["confidence"]) == (2, 1000, 0.8)
    assert "flags" not in line


def test_a_row_with_none_chosen_twice_is_in_review_whatever_the_threshold(tmp_path: Path) -> None:
    with scripted(lambda _: answer("none", 95)) as server:
        store = tmp_path / "answers.sqlite"
        (line,) = labelled(server, tmp_path / "run", ["My card has not arrived."], review_below=0, reuse=store)
        assert (line["status"], line["confidence"], line["flags"]) == ("ok", 0, ["none_fits"])
        assert line["category"] == listed(server.asked[1])[0]
        assert len(read_rows(tmp_path / "run" / "review.jsonl")) == 1
        assert not read_rows(tmp_path / "run" / "results.jsonl")
        assert len(server.asked) == 2
        labelled(server, tmp_path / "other", ["My card has not arrived."], review_below=0, reuse=store)
        assert len(server.asked) == 4, "no answer worth caching"


def test_a_number_that_is_not_on_the_list_is_an_unusable_answer(tmp_path: Path) -> None:
    with scripted(lambda asked: answer("none" if asked.number % 2 else "11")) as server:
        classify(["A card."], task="banking77", candidates=10, base_url=server.url, out=tmp_path / "run", reask=0,
                 price="1,1,1")  # fmt: skip
        (line,) = ledger_rows(tmp_path / "run" / "ledger.jsonl")
    assert (line["status"], line["error"]["kind"]) == ("failed", "invalid")
    assert line["input_tokens"] == 1000, "the row pays for both answers"


def test_a_shorter_second_list_accepts_no_number_beyond_its_end(tmp_path: Path) -> None:
    with scripted(lambda asked: answer("none" if asked.number == 1 else "37")) as server:
        classify(["A", "B"], task="banking77", candidates=40, base_url=server.url, out=tmp_path / "run", price="1,1,1")
        asked = [(len(listed(one)), one.choices) for one in server.asked]
    assert [count for count, _ in asked] == [40, 37, 40]
    assert [numbers for _, numbers in asked] == [[*map(str, range(1, count + 1)), "none"] for count, _ in asked]
    assert len({one.body["messages"][0]["content"][0]["text"] for one in server.asked}) == 1, "one prefix for all"


def test_a_number_may_be_a_json_number(tmp_path: Path) -> None:
    """Without a schema, a model writes a number as a JSON number."""

    def script(_: Asked) -> Reply:
        message = {"content": '{"category": 3, "percent": 90}'}
        return Reply(200, {"model": "m", "choices": [{"message": message, "finish_reason": "stop"}],
                           "usage": {"prompt_tokens": 500, "completion_tokens": 10}})  # fmt: skip

    with scripted(script) as server:
        (line,) = labelled(server, tmp_path / "run", ["My card has not arrived."])
        assert line["category"] == listed(server.asked[0])[2]
    assert line["parse"] == "repaired"


def test_an_error_in_the_second_search_is_repeated_there(tmp_path: Path) -> None:
    def script(asked: Asked) -> Reply:
        return [answer("none"), Reply(500, {"error": {"message": "oops"}}), answer("1")][asked.number - 1]

    with scripted(script) as server:
        (line,) = labelled(server, tmp_path / "run", ["A card."], retry_wait_min=0.001, retry_wait_max=0.002)
        lists = [listed(asked) for asked in server.asked]
    assert lists[1] == lists[2] != lists[0]
    assert (line["category"], line["attempts"]) == (lists[1][0], 3)


def test_both_searches_count_against_the_budget(tmp_path: Path) -> None:
    with scripted(lambda _: answer("none")) as server, pytest.raises(RunStopped, match="max-cost"):
        classify(["One card.", "Two cards.", "Three cards."], task="banking77", candidates=10, base_url=server.url,
                 out=tmp_path / "run", price="1000,1000,1000", max_cost=4)  # fmt: skip
    lines = ledger_rows(tmp_path / "run" / "ledger.jsonl")
    assert 0 < sum(line["cost_usd"] for line in lines) <= 4
    assert sum(line["attempts"] for line in lines) == len(server.asked)


@pytest.mark.parametrize("confidence", ["reported", "logprobs"])
def test_fields_with_many_labels_have_a_list_each(
    tmp_path: Path, endpoint: StartEndpoint, confidence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    labels = {field.name: field.answers for field in FIELDS.fields}
    task = ['name = "t"']
    for name, kind in (("topic", "single"), ("tags", "multi")):
        lines = ", ".join(f'{{ name = "{label.name}", description = "{label.description}" }}' for label in labels[name])
        task.append(f'[[fields]]\nname = "{name}"\nkind = "{kind}"\nlabels = [{lines}]')
    task.append('[[fields]]\nname = "good"\nkind = "yes-no"')
    (tmp_path / "t.toml").write_text("\n".join(task))
    texts = [f"About word{n} and thing{n} with thing{n + 1}." for n in range(10, 20)]
    run = classify(texts, task="t.toml", candidates=4, base_url=endpoint().url, out=tmp_path / "run",
                   confidence=confidence)  # type: ignore[arg-type] # fmt: skip
    candidates = Candidates(FIELDS, 4)
    ledger = ledger_rows(tmp_path / "run" / "ledger.jsonl")
    assert len(ledger) == 10
    assert run.ok
    for line in ledger:
        names = candidates.shortlist(texts[line["row"]]).names
        topic, tags, _ = (part.partition("=")[2] for part in line["category"].split("; "))
        assert topic in names["topic"]
        assert tags == "(none)" or set(tags.split("|")) <= set(names["tags"])
        assert {key for key in line["confidences"] if "=" in key} == {f"tags={t}" for t in tags.split("|")} - {
            "tags=(none)"
        }
    assert sum(line["category"].startswith(f"topic=topic {line['row'] + 10};") for line in ledger) >= 8


def test_a_run_with_thousands_of_labels_needs_no_option(tmp_path: Path, endpoint: StartEndpoint) -> None:
    labels = made_task(2_000).labels
    lines = (f'[[labels]]\nname = "{label.name}"\ndescription = "{label.description}"' for label in labels)
    (tmp_path / "made.toml").write_text("\n".join(['name = "made"', *lines]))
    texts, events, server = [f"We want {label.description}." for label in labels[:30]], list[Event](), endpoint()
    options: dict[str, Any] = {"task": tmp_path / "made.toml", "base_url": server.url, "out": tmp_path / "run"}
    classify(texts, **options, observer=Recorder(events))
    (why,) = [event.message for event in events if event.name == "labels.planned"]
    assert "2,000 labels" in why
    found = ledger_rows(tmp_path / "run" / "ledger.jsonl")
    assert sum(line["category"] == labels[line["row"]].name for line in found) >= 27
    assert all("retries" not in line for line in found), "the strict endpoint accepts the schema unchanged"
    assert load_record(RunFolder(tmp_path / "run")).choice.candidates == 50
    classify(texts, **options)
    assert server.requests == 30


def test_the_cheapest_way_is_never_one_that_cannot_re_ask(tmp_path: Path, endpoint: StartEndpoint) -> None:
    write_rows(tmp_path / "docs.jsonl", [{"id": 1, "text": "My card has not arrived."}])
    run = classify(tmp_path / "docs.jsonl", task="banking77", candidates=10, cheapest=True, model="gpt-4o-mini",
                   base_url=endpoint().url, out=tmp_path / "run")  # fmt: skip
    assert run.ok
    (line,) = ledger_rows(tmp_path / "run" / "ledger.jsonl")
    assert line.get("source", "api") == "api"


def test_the_high_end_of_an_estimate_allows_for_second_lists(llmbatch: Program) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", [{"text": "My card has not arrived."}])
    options = ("estimate", "docs.jsonl", "--task", "banking77", "--offline", "--json")
    listed, whole = (
        llmbatch(*options, "--candidates", number).json["models"][0]["cost_usd"] for number in ("10", "all")
    )
    assert listed["high"] / listed["expected"] > 1.2 > whole["high"] / whole["expected"]
    assert any("25% of the requests are repeated" in name for name in listed["movers"])
