"""Labels listed level by level, from the first run to evaluation."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from llmbatch import classify
from llmbatch.core.errors import UsageError
from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Program, read_rows, write_rows
from tests.e2e.scripted import Reply, Scripted, scripted
from tests.ledgers import ledger_rows
from tests.task.test_descent import TREE


@pytest.fixture
def task(tmp_path: Path) -> Path:
    (tmp_path / "desk.toml").write_text(TREE)
    return tmp_path / "desk.toml"


def said(*answers: str) -> Iterable[Reply]:
    for answer in answers:
        content = json.dumps({"category": answer, "percent": 80})
        usage = {"prompt_tokens": 500, "completion_tokens": 10}
        choice = {"message": {"content": content}, "finish_reason": "stop"}
        yield Reply(200, {"model": "m", "choices": [choice], "usage": usage})


def lines_of(server: Scripted, folder: Path, task: Path, text: str = "It stands still") -> list[dict[str, Any]]:
    classify([text], task=task, candidates="levels", base_url=server.url, out=folder, price="1,1,1", reask=1)
    return ledger_rows(folder / "ledger.jsonl")


def test_a_row_descends_the_tree_with_one_ledger_line_and_one_cost(task: Path, tmp_path: Path) -> None:
    replies = iter(said("2", "3", "2"))
    with scripted(lambda _: next(replies)) as server:
        (line,) = lines_of(server, tmp_path / "run", task)
        prefixes = [asked.body["messages"][0]["content"][0]["text"] for asked in server.asked]
        assert {asked.body["messages"][1]["content"] for asked in server.asked} == {server.asked[0].text}
        numbers = [asked.choices for asked in server.asked]
        counts = [len(re.findall(r"^\d+\. ", prefix, re.MULTILINE)) for prefix in prefixes]
        again = classify(["It stands still"], task=task, candidates="levels", base_url=server.url, out=tmp_path / "run")
    assert (line["category"], line["confidence"]) == ("freeze", pytest.approx(0.512))
    assert (line["attempts"], line["input_tokens"], len(server.asked)) == (3, 1500, 3)
    assert len(set(prefixes)) == 3, "one prefix per group"
    assert numbers == [[*map(str, range(1, n + 1)), "none"] for n in counts], "no number that is not on the list"
    assert again.summary.session.requests == 0


def test_a_row_with_no_label_in_a_list_is_searched_once_in_the_whole_tree_and_then_reviewed(
    task: Path, tmp_path: Path
) -> None:
    replies = iter(said("1", "none", "1", "none", "none"))
    with scripted(lambda _: next(replies)) as server:
        (line,) = lines_of(server, tmp_path / "run", task)
        assert "5." not in server.asked[-1].text.partition("<document>")[0], "no list is longer than allowed"
        assert line["confidence"] == 0.8
        (lost,) = lines_of(server, tmp_path / "lost", task)
    assert (lost["confidence"], lost["flags"]) == (0, ["none_fits"])
    assert len(read_rows(tmp_path / "lost" / "review.jsonl")) == 1


def test_an_unusable_answer_is_re_asked_at_the_level_the_row_has_reached(task: Path, tmp_path: Path) -> None:
    replies = iter(said("2", "99", "2"))
    with scripted(lambda _: next(replies)) as server:
        (line,) = lines_of(server, tmp_path / "run", task)
        assert len(server.asked) == 3
    assert (line["category"], line["attempts"]) == ("login", 3)


def test_the_planner_uses_levels_if_a_search_finds_too_little(llmbatch: Program, endpoint: StartEndpoint) -> None:
    groups = [(f"g{n}", f"topic{n}") for n in range(30)]
    labels = [f'{{ name = "{name}", description = "About {topic}." }}' for name, topic in groups]
    labels += [
        f'{{ name = "{name}/l{m}", description = "{topic} word{m}" }}' for name, topic in groups for m in range(40)
    ]
    (llmbatch.folder / "tree.toml").write_text(f'name = "tree"\nlabels = [{", ".join(labels)}]\n')
    write_rows(llmbatch.folder / "docs.jsonl", [{"id": n, "text": f"topic{n} word{n}"} for n in range(3)])
    write_rows(llmbatch.folder / "gold.jsonl", [{"id": n, "label": f"g{n}/l{n}"} for n in range(3)])
    server = endpoint()
    command = ("docs.jsonl", "--task", "tree.toml", "--base-url", server.url, "--json")
    estimate = llmbatch("estimate", *command).json
    assert "they are listed level by level, so that each can be reached" in estimate["labels"]
    low, high = (estimate["models"][0]["cost_usd"][end] for end in ("low", "high"))
    done = llmbatch("classify", *command)
    assert (done.code, server.requests) == (0, 6)
    assert low * 0.9 <= done.json["usage"]["cost_usd"] <= high * 1.1, "each of three rows writes a prefix to the cache"
    judged = llmbatch("evaluate", "docs.llmbatch", "--gold", "gold.jsonl", "--json").json
    assert (judged["accuracy"]["value"], judged["candidates"]) == (1, None)
    shown = llmbatch("prompt", "render", "tree.toml", "--candidates", "levels", "--text", "A", "--json").json
    assert "1. g0: About topic0. (a group, with g0/l0, " in json.dumps(shown["messages"][0])
    refused = llmbatch("classify", *command, "--candidates", "levels", "--batch", "--yes", "--out", "other")
    assert (refused.code, "--candidates" in refused.err) == (2, True)


def test_a_task_without_levels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs one field with one label, in groups"):
        classify(["A"], candidates="levels", offline=True, out=tmp_path / "run")
