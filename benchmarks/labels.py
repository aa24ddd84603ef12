"""What 77, 150, 1,000 and 10,000 labels cost, and whether the right one is found: `python -m benchmarks.labels`.

BANKING77 and CLINC150 are real: their labels, descriptions, eight to ten examples a label, and test messages with gold.
The larger sets are BANKING77's 77 labels and messages among others that are made: names and descriptions of words drawn
from those of both sets, so that they have much in common with the messages. Each run asks the offline endpoint, which
keeps a prompt cache by the provider's rules; cost is at the default model's published price. With `--real PYTHON`, an
interpreter that has llama.cpp's server (see tests/real), a part of the rows is asked of it too: a model of random
weights under a real grammar, by which only the form of answers can be judged. Prints a table in Markdown.
"""

import argparse
import json
import os
import random
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from llmbatch import classify
from llmbatch.core.errors import LLMBatchError
from llmbatch.core.money import to_usd
from llmbatch.task.candidates import Candidates
from llmbatch.task.fields import Label
from llmbatch.task.load import load_task
from llmbatch.task.model import Example, Task
from llmbatch.task.schema_limits import exceeds_schema
from llmbatch.task.template import toml_string
from tests.ledgers import ledger_rows
from tests.real.serving import served

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
Listed = int | Literal["all", "levels"]
WAYS: tuple[Listed, ...] = ("all", 20, "levels")
GROUP, GROUPS = 40, 20
"""Labels of a made group, and groups that may be at the top: more are put into groups of their own."""
EXAMPLES = 8
KEY = "sk-llama-test"


@dataclass(frozen=True, slots=True)
class LabelSet:
    """A task and texts with their gold labels."""

    name: str
    task: Task
    documents: Sequence[tuple[str, str]]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.labels")
    parser.add_argument("--rows", type=int, default=1_000)
    parser.add_argument("--real", metavar="PYTHON", help="an interpreter with xllamacpp, gguf, numpy and tokenizers")
    parser.add_argument("--real-rows", type=int, default=20)
    options = parser.parse_args()
    print("| labels | listed | cost of 1,000 rows | input tokens a row | cached | recall | valid by a real grammar |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as name, real_endpoint(options.real, Path(name)) as url:
        for labels in label_sets(options.rows):
            for listed in WAYS:
                print(row(labels, listed, Path(name), url, options.real_rows), flush=True)


def label_sets(rows: int) -> Iterator[LabelSet]:
    """The four sets, the smallest first."""
    banking, clinc = labelled("banking77", "category", rows), labelled("clinc150", "label", rows)
    yield LabelSet("77: BANKING77", *banking)
    yield LabelSet("150: CLINC150, and `none`", *clinc)
    for count in (1_000, 10_000):
        task, documents = banking
        made = made_labels(count - len(task.labels), [*task.labels, *clinc[0].labels])
        larger = Task(name="made", instructions=task.instructions, labels=(*task.labels, *made), pool=task.pool)
        yield LabelSet(f"{count:,}: BANKING77 among made ones", larger, documents)


def grouped(task: Task) -> Task:
    """The task with its labels in groups: its own, or random ones that are named after two of their labels."""
    if any(label.parent is not None for label in task.labels):
        return task
    labels, top = list(task.labels), list(task.labels)
    random.Random(2).shuffle(top)
    while len(top) > GROUPS:
        groups = []
        for number, start in enumerate(range(0, len(top), GROUP)):
            members = top[start : start + GROUP]
            group = Label(
                name=f"group_{len(labels)}_{number}",
                description=" and ".join(member.name.replace("_", " ") for member in members[:2]),
            )
            parents = {member.name: member.model_copy(update={"parent": group.name}) for member in members}
            labels = [parents.get(label.name, label) for label in labels]
            groups.append(group)
        labels, top = [*labels, *groups], groups
    return Task(name=task.name, instructions=task.instructions, labels=tuple(labels), pool=task.pool)


def labelled(name: str, key: str, rows: int) -> tuple[Task, Sequence[tuple[str, str]]]:
    """A packaged task with the data set's examples, and random test messages with their gold labels."""
    task = load_task(name).task
    labels = tuple(
        label.model_copy(update={"always": label.name == "none"}) if label in task.label_space.labels else label
        for label in task.labels
    )
    known = {label.name for label in task.label_space.labels}
    gold = {line["id"]: line[key] for line in lines(DATA / name / "gold.jsonl") if line[key] in known}
    texts = [(line["text"], gold[line["id"]]) for line in lines(DATA / name / "test.jsonl") if line["id"] in gold]
    found: dict[str, list[str]] = {}
    for line in lines(DATA / name / "examples.jsonl"):
        found.setdefault(line[key], []).append(line["text"])
    pool = tuple(Example(text=text, label=one) for one in known for text in found.get(one, [])[:EXAMPLES])
    random.Random(1).shuffle(texts)
    return Task(name=name, instructions=task.instructions, labels=labels, pool=pool), texts[:rows]


def made_labels(count: int, real: Sequence[Label]) -> Iterator[Label]:
    """Labels of words that real ones have in their names and descriptions."""
    chance = random.Random(count)
    words = sorted({word for one in real for word in f"{one.name.replace('_', ' ')} {one.description}".lower().split()})
    words = [word for word in words if word.isalpha()]
    for number in range(count):
        yield Label(
            name="_".join([*chance.sample(words, 3), str(number)]), description=" ".join(chance.sample(words, 20))
        )


def row(labels: LabelSet, listed: Listed, folder: Path, url: str | None, real_rows: int) -> str:
    """One line of the table."""
    if listed == "all" and (excess := exceeds_schema(labels.task.label_space)) is not None:
        return f"| {labels.name} | all | - | - | - | - | not sent: {excess} |"
    file = folder / "task.toml"
    file.write_text(task_file(grouped(labels.task) if listed == "levels" else labels.task), encoding="utf-8")
    texts = [text for text, _ in labels.documents]
    out = folder / f"{labels.name.partition(':')[0].replace(',', '')}-{listed}"
    asked: dict[str, Any] = {"task": file, "candidates": listed, "prefix": "minimal"}
    spent = classify(texts, **asked, offline=True, out=out, concurrency=16).summary.spent
    cost = to_usd(spent.cost_nanousd or 0) / len(texts) * 1_000
    recall = 1.0
    if isinstance(listed, int):
        candidates = Candidates(labels.task, listed)
        space = labels.task.label_space
        ranks = [
            candidates.ranks(candidates.whole_ranking(text), space.cells_of(gold))[0] for text, gold in labels.documents
        ]
        recall = sum(rank < listed for rank in ranks) / len(texts)
    valid = "-" if url is None else valid_share(texts[:real_rows], asked, out.with_name(f"{out.name}-real"), url)
    cached = spent.cached_input_tokens / spent.input_tokens
    tokens = spent.input_tokens / len(texts)
    return f"| {labels.name} | {listed} | ${cost:.3f} | {tokens:,.0f} | {cached:.0%} | {recall:.1%} | {valid} |"


def valid_share(texts: Sequence[str], asked: dict[str, Any], out: Path, url: str) -> str:
    """How many rows a model of random weights answers with a valid label, under llama.cpp's grammar."""
    patient: dict[str, Any] = {"timeout": 300, "attempts": 1, "stop_at_failures": "100%", "stop_at_invalid": "100%"}
    try:
        classify(texts, **asked, base_url=url, out=out, **patient)
    except LLMBatchError as error:
        return error.message
    clean = sum(line.get("parse") == "clean" for line in ledger_rows(out / "ledger.jsonl"))
    return f"{clean} of {len(texts)}"


@contextmanager
def real_endpoint(python: str | None, folder: Path) -> Iterator[str | None]:
    """llama.cpp's server with a tiny model of random weights; None where there is no interpreter for it."""
    if python is None:
        yield None
        return
    os.environ["OPENAI_API_KEY"] = KEY
    texts, model = DATA / "banking77" / "test.jsonl", folder / "tiny.gguf"
    script = Path(__file__).resolve().parents[1] / "tests" / "real" / "tiny_model.py"
    subprocess.run([python, script, model, texts], check=True)
    with served(python, "serve_llama_cpp.py", str(model), "4") as url:
        yield url


def task_file(task: Task) -> str:
    """The task as TOML."""
    parts = [f"name = {toml_string(task.name)}\ninstructions = {toml_string(task.instructions)}"]
    for label in task.labels:
        parent = "" if label.parent is None else f"\nparent = {toml_string(label.parent)}"
        flags = "".join(f"\n{name} = true" for name in ("allow_inner", "always") if getattr(label, name))
        text = f"name = {toml_string(label.name)}\ndescription = {toml_string(label.description)}{parent}{flags}"
        parts.append(f"[[labels]]\n{text}")
    parts += [f"[[pool]]\ntext = {toml_string(one.text)}\nlabel = {toml_string(one.label or '')}" for one in task.pool]
    return "\n\n".join(parts)


def lines(path: Path) -> Iterator[dict[str, str]]:
    """The objects of a JSONL file."""
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


if __name__ == "__main__":
    main()
