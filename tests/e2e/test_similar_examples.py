"""Examples chosen for each document, in front of it in its message."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from llmbatch import classify
from llmbatch.core.errors import UsageError
from llmbatch.core.rows import Truncation
from llmbatch.engine.plan import ModelChoice, Plan, make_plan
from llmbatch.estimate.estimate import EstimateOptions, estimate_run
from llmbatch.review.importing import import_decisions
from llmbatch.review.opened import opened
from llmbatch.runs.options import RunOptions
from llmbatch.session.batches import batch_loop
from llmbatch.task.load import load_task
from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Program, read_rows, write_rows
from tests.e2e.scripted import Asked, Reply, scripted
from tests.ledgers import ledger_rows
from tests.task.test_descent import TREE

TASK = """
name = "pets"
instructions = "Which animal?"
labels = [{ name = "cat" }, { name = "dog" }]
examples = [{ text = "It meows.", label = "cat" }]

[[pool]]
text = "My kitten purrs all day."
label = "cat"
confidence = 0.6

[[pool]]
text = "The puppy barks at the postman."
label = "dog"

[[pool]]
text = "Kittens sleep in baskets."
label = "cat"
"""
ANIMALS = ["horse", "zebra", "lizard", "salmon", "falcon"]
PURRS = "Why does my kitten purr?"


@pytest.fixture
def task(tmp_path: Path) -> Path:
    (tmp_path / "pets.toml").write_text(TASK)
    return tmp_path / "pets.toml"


def plan_of(task: Path, similar: int | None, **choice: Any) -> Plan:
    return make_plan(load_task(task), ModelChoice(similar=similar, **choice), offline=True)


def answer(_: Asked) -> Reply:
    return reply("cat")


def reply(category: str) -> Reply:
    message = {"content": json.dumps({"category": category, "percent": 90})}
    usage = {"prompt_tokens": 400, "completion_tokens": 9}
    return Reply(200, {"model": "m", "choices": [{"message": message, "finish_reason": "stop"}], "usage": usage})


def test_the_most_similar_precede_the_document_and_the_prefix_is_the_same_for_all(task: Path, tmp_path: Path) -> None:
    texts = [PURRS, "A puppy barked.", "My kitten purrs all day."]
    with scripted(answer) as server:
        options: dict[str, Any] = {"task": task, "base_url": server.url, "out": tmp_path / "run", "concurrency": 1}
        classify(texts, **options, examples="similar:2")
        classify(texts, **options, examples="similar:2")
        assert len(server.asked) == 3, "nothing is sent twice"
        messages = {json.dumps(asked.body["messages"][0]) for asked in server.asked}
        asked_about = {text: asked.text for asked in server.asked for text in texts if f"{text}\n</document>" in
                       asked.text[-80:]}  # fmt: skip
        sent = [asked_about[text] for text in texts]
    assert len(messages) == 1
    (prefix,) = messages
    assert "It meows." in prefix
    assert "kitten" not in prefix, "the pool is not in the prefix"
    assert sent[0] == (
        "# Examples like this document\n"
        '<document>\nKittens sleep in baskets.\n</document>\n{"category":"cat","percent":95}\n\n'
        '<document>\nMy kitten purrs all day.\n</document>\n{"category":"cat","percent":60}\n\n'
        f"<document>\n{PURRS}\n</document>"
    )
    assert "The puppy barks at the postman." in sent[1].split("<document>")[-2]
    assert sent[2].count("My kitten purrs all day.") == 1, "a document is not an example for itself"


def test_settings_that_change_the_examples_change_the_key(task: Path) -> None:
    fingerprints = {plan_of(task, similar).fingerprint for similar in (0, 1, 2)}
    task.write_text(TASK.replace("all day", "all night"))
    assert len({*fingerprints, plan_of(task, 2).fingerprint}) == 4
    assert plan_of(task, None).fingerprint == plan_of(task, 0).fingerprint
    task.write_text(TASK.replace("[[pool]]", "[model]\nsimilar_examples = 2\n\n[[pool]]", 1))
    assert plan_of(task, None).similar is not None, "the task may set it"


def test_examples_count_in_the_estimate_and_in_the_space_for_a_document(task: Path, tmp_path: Path) -> None:
    (tmp_path / "docs.jsonl").write_text(json.dumps({"id": 1, "text": PURRS}) + "\n")

    def tokens(similar: int) -> float:
        choice = ModelChoice(similar=similar)
        run = RunOptions((str(tmp_path / "docs.jsonl"),), out=tmp_path / "run", task=str(task), choice=choice)
        (model,) = estimate_run(EstimateOptions(run)).models
        return model.job.documents.tokens

    assert tokens(2) > tokens(1) > tokens(0)
    rooms = [plan_of(task, similar, window=4_000).limit.tokens or 0 for similar in (0, 2)]
    assert rooms[0] - rooms[1] >= 40


def test_the_offline_endpoint_learns_from_them(task: Path, tmp_path: Path, endpoint: StartEndpoint) -> None:
    texts = ["The puppy barks at the milkman.", "A puppy barks at the postman again.", PURRS]
    classify(texts, task=task, base_url=endpoint().url, out=tmp_path / "run", examples="similar:1")
    assert [line["category"] for line in read_rows(tmp_path / "run" / "results.jsonl")] == ["dog", "dog", "cat"]


def test_impossible_options_are_refused_before_anything_is_sent(task: Path, tmp_path: Path) -> None:
    for examples, reason in (("similar:0", "neither pool nor similar:N"), ("alike", "neither pool nor similar:N")):
        with pytest.raises(UsageError, match=reason):
            classify([PURRS], task=task, offline=True, out=tmp_path / "run", examples=examples)
    task.write_text(TASK.partition("[[pool]]")[0])
    with pytest.raises(UsageError, match="pets has none"):
        classify([PURRS], task=task, offline=True, out=tmp_path / "run", examples="similar:2")


def test_batches_include_the_examples(
    task: Path, tmp_path: Path, endpoint: StartEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_loop, "_FIRST_POLL_S", 0.01)
    texts = ["The puppy barks at the milkman.", "A puppy barks at the postman again.", PURRS]
    options: dict[str, Any] = {"task": task, "base_url": endpoint().url, "examples": "similar:1"}
    write_rows(tmp_path / "docs.jsonl", [{"id": number, "text": text} for number, text in enumerate(texts)])
    classify(tmp_path / "docs.jsonl", **options, out=tmp_path / "single")
    classify(tmp_path / "docs.jsonl", **options, out=tmp_path / "batch", batch=True, batch_wait="1h")
    single, batch = (ledger_rows(tmp_path / name / "ledger.jsonl") for name in ("single", "batch"))
    assert {line["source"] for line in batch} == {"batch"}
    reported = ("key", "category", "confidence")
    assert sorted([line[name] for name in reported] for line in single) == sorted(
        [line[name] for name in reported] for line in batch
    )


def decided(run: Path, label: str, *, row: int = 0) -> None:
    """Record a human decision about a row of the run."""
    write_rows(run / "decided.jsonl", [{"id": row, "decision": label}])
    with opened(run) as review:
        import_decisions(review, run / "decided.jsonl", reviewer="ana", decided_at="2026-11-27T20:00:00Z")


def test_human_decisions_become_examples_without_sending_any_row_again(task: Path, tmp_path: Path) -> None:
    rows = [{"id": n, "text": f"Rex howls at {when}."} for n, when in enumerate(("the moon", "night", "noon"))]
    write_rows(tmp_path / "docs.jsonl", rows[:2])
    options: dict[str, Any] = {"task": task, "out": tmp_path / "run", "concurrency": 1, "examples": "similar:1"}
    with scripted(answer) as server:
        classify(tmp_path / "docs.jsonl", **options, base_url=server.url)
        decided(tmp_path / "run", "dog")
        classify(tmp_path / "docs.jsonl", **options, base_url=server.url)
        assert len(server.asked) == 2, "a decision sends no row again"
        write_rows(tmp_path / "docs.jsonl", [*rows, {"id": 3, "text": "REX  howls at the moon."}])
        classify(tmp_path / "docs.jsonl", **options, base_url=server.url)
        noon, same = (asked.text for asked in server.asked[2:])
    assert '<document>\nRex howls at the moon.\n</document>\n{"category":"dog","percent":95}' in noon
    assert "Rex" not in same, "a text that differs only in case and space would give the label away"


def test_with_retrieved_labels_examples_use_the_numbers_of_the_document_s_list(
    tmp_path: Path, endpoint: StartEndpoint
) -> None:
    labels = ", ".join(f'{{ name = "{name}", description = "All about a {name}." }}' for name in ANIMALS)
    pool = "\n".join(f'[[pool]]\ntext = "I saw a {name} today."\nlabel = "{name}"' for name in ANIMALS)
    (tmp_path / "zoo.toml").write_text(f'name = "zoo"\nlabels = [{labels}]\n\n{pool}\n')
    options: dict[str, Any] = {"task": tmp_path / "zoo.toml", "candidates": 2, "examples": "similar:2"}
    replies = iter((reply("none"), reply("1")))
    with scripted(lambda _: next(replies)) as server:
        classify(["Today I saw a zebra, or was it a horse"], **options, base_url=server.url, out=tmp_path / "run")
        first, wider = (asked.text for asked in server.asked)
    listed = dict(re.findall(r"^(\d)\. (\w+):", first, re.MULTILINE))
    assert set(listed.values()) == {"zebra", "horse"}
    shown = re.findall(r'I saw a (\w+) today.\n</document>\n{"category":"(\d)"', first)
    assert {listed[number] for _, number in shown} == {"zebra", "horse"}
    assert all(listed[number] == name for name, number in shown), "each has the number of its own label"
    assert "zebra today" not in wider, "a label that is not on the list gives no example"
    served = endpoint()
    done = classify([f"I saw a {name} yesterday." for name in ANIMALS], **options, base_url=served.url)
    assert [result.category for result in done] == ANIMALS
    tree = tmp_path / "tree.toml"
    tree.write_text(TREE + '[[pool]]\ntext = "It stopped."\nlabel = "outage"\n')
    with pytest.raises(UsageError, match="--candidates levels"):
        classify(["A"], task=tree, candidates="levels", examples="similar:1", offline=True, out=tmp_path / "no")


@pytest.mark.parametrize("cut", list(Truncation))
def test_a_truncated_document_is_not_an_example_for_itself(task: Path, cut: Truncation) -> None:
    text = "My kitten " + "purrs and purrs " * 40 + "all day long."
    task.write_text(TASK.replace("My kitten purrs all day.", text))
    plan = plan_of(task, 3, max_doc_tokens=20, truncate=cut)
    asked = plan.limit.asked(text)
    assert asked != text
    assert "purrs" not in plan.before(asked)
    assert "purrs" in plan.before(PURRS)


def test_another_run_s_decisions_are_examples_if_requested(task: Path, tmp_path: Path) -> None:
    task.write_text(TASK.partition("[[pool]]")[0])
    write_rows(tmp_path / "old.jsonl", [{"id": 0, "text": "Rex howls at the moon."}])
    classify(tmp_path / "old.jsonl", task=task, offline=True, out=tmp_path / "old")
    decided(tmp_path / "old", "dog")
    new: dict[str, Any] = {"task": task, "decisions": tmp_path / "old", "out": tmp_path / "new"}
    with scripted(answer) as server:
        classify(["Rex howls at noon."], **new, base_url=server.url, examples="similar:1")
        assert "Rex howls at the moon." in server.asked[0].text
        with pytest.raises(UsageError, match="no examples are in use"):
            classify(["Rex howls at noon."], **new, base_url=server.url)
        new["decisions"] = tmp_path / "none"
        with pytest.raises(UsageError, match="none"):
            classify(["A"], **new, base_url=server.url, examples="similar:1")


def test_a_retry_uses_another_run_s_decisions_too(llmbatch: Program, task: Path) -> None:
    task.write_text(TASK.partition("[[pool]]")[0])
    for name, text in (("old", "Rex howls at the moon."), ("new", "Rex howls at noon.")):
        write_rows(llmbatch.folder / f"{name}.jsonl", [{"id": 0, "text": text}])
    plain = ("--task", task.name, "--review-below", "1")
    assert llmbatch("classify", "old.jsonl", *plain, "--offline", "--out", "old").code == 0
    decided(llmbatch.folder / "old", "dog")
    with scripted(answer) as server:
        url = ("--base-url", server.url)
        learning = ("--examples", "similar:1", "--decisions", "old", "--out", "new")
        assert llmbatch("classify", "new.jsonl", *plain, *learning, *url).code == 0
        done = [llmbatch("retry", "new", "--review", *given, *url) for given in ((), ("--decisions", "old"))]
        sent = ["Rex howls at the moon." in asked.text for asked in server.asked]
    assert ([one.code for one in done], sent) == ([2, 0], [True, True]), done
    assert "--decisions RUN" in done[0].err, "the task has no other examples"


def test_decided_examples_are_in_the_estimate_and_are_compared_before_they_are_used(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    folder, served = llmbatch.folder, ("--base-url", endpoint().url)
    for name, model in (("plain", ""), ("learning", "[model]\nsimilar_examples = 1\n\n")):
        (folder / f"{name}.toml").write_text(TASK.replace("[[pool]]", f"{model}[[pool]]", 1))
    texts = [f"Rex number {n} howls at the {moon} moon." for n in range(6) for moon in ("full", "new")]
    write_rows(folder / "docs.jsonl", [{"id": n, "text": text} for n, text in enumerate(texts)])
    write_rows(folder / "gold.jsonl", [{"id": n, "label": "dog"} for n in range(len(texts))])
    assert llmbatch("classify", "docs.jsonl", "--task", "plain.toml", *served).code == 0
    write_rows(folder / "half.jsonl", [{"id": n, "decision": "dog"} for n in range(0, len(texts), 2)])
    assert llmbatch("review", "import", "docs.llmbatch", "half.jsonl", "--reviewer", "ana").code == 0
    decisions = ("--decisions", "docs.llmbatch")
    tokens = []
    for name, more in (("plain", ()), ("learning", ()), ("learning", decisions)):
        asked = ("estimate", "docs.jsonl", "--out", "new", "--task", f"{name}.toml", *more, *served, "--json")
        tokens.append(llmbatch(*asked).json["models"][0]["tokens"]["documents"])
    assert tokens[0] < tokens[1] < tokens[2]
    tasks = ("--task", "plain.toml", "--task", "learning.toml", "--model", "gpt-6-luna")
    done = llmbatch("compare", "docs.jsonl", *tasks, *decisions, "--gold", "gold.jsonl", *served, "--json")
    assert done.code == 0, done.err
    accuracy = [arm["accuracy"]["value"] for arm in done.json["comparison"]["arms"]]
    assert accuracy[1] > accuracy[0]
    refused = llmbatch("compare", "docs.jsonl", *tasks[:2], "--model", "a", "--model", "b", "--offline", *decisions)
    assert (refused.code, "no task chooses similar examples" in refused.err) == (2, True)
