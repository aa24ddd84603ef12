"""The task files that come with the program."""

import csv
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from llmbatch.core.models import AUTOMATIC_CACHING
from llmbatch.task.check import check_task
from llmbatch.task.fields import NONE
from llmbatch.task.load import load_task, packaged_tasks, parse_task
from llmbatch.task.prefix import build_prefix
from llmbatch.tokens import count_tokens

ROOT = Path(__file__).resolve().parents[2]
SAMPLE_DATA = ROOT / "sample_data"
LABELS = {"ag_news": 4, "banking77": 77, "clinc150": 151, "default": 5, "go_emotions": 28, "sib200": 7}
MANY = 100
"""Above so many labels one example each is enough: two would cost too many tokens."""

every_task = pytest.mark.parametrize("name", LABELS)


def test_the_packaged_tasks_are_listed_by_name() -> None:
    assert packaged_tasks() == tuple(LABELS)


@every_task
def test_a_packaged_task_has_its_labels(name: str) -> None:
    loaded = load_task(name)

    assert loaded.source == name
    assert loaded.task.name == name
    (field,) = loaded.task.label_space.fields
    assert len(field.answers) == LABELS[name]


@every_task
def test_a_packaged_task_passes_the_lint(name: str) -> None:
    findings = check_task(load_task(name).task, model=None)

    assert [finding for finding in findings if finding.level != "note"] == []


@every_task
def test_a_packaged_task_can_be_cached_by_the_provider(name: str) -> None:
    assert count_tokens(build_prefix(load_task(name).task)) >= AUTOMATIC_CACHING.floor_tokens


@every_task
@pytest.mark.parametrize("reasoning", [False, True])
def test_a_packaged_tasks_prefix_is_the_same_each_time(name: str, *, reasoning: bool) -> None:
    first, second = (build_prefix(load_task(name).task, reasoning=reasoning) for _ in range(2))

    assert first.encode() == second.encode()


@every_task
def test_a_packaged_task_has_an_example_of_each_label(name: str) -> None:
    task = load_task(name).task
    space = task.label_space
    counts = Counter(part for example in task.examples for part in space.parts_of(task.value_of(example)))

    assert min(counts[part] for part in space.parts if part != NONE) >= (1 if len(space.parts) > MANY else 2)


def test_the_default_task_loads_without_a_name() -> None:
    loaded = load_task(None)

    assert loaded.source == "built-in default"
    assert loaded.task.label_space.parts == ("technical", "business", "legal", "marketing", "other")
    assert loaded.version == load_task("default").version


def test_the_default_task_has_an_example_with_low_confidence() -> None:
    assert any(example.confidence <= 0.75 for example in load_task(None).task.examples)


def test_the_sample_documents_have_a_gold_label_each() -> None:
    documents = [json.loads(line) for line in (SAMPLE_DATA / "docs.jsonl").read_text(encoding="utf-8").splitlines()]
    gold = [json.loads(line) for line in (SAMPLE_DATA / "gold.jsonl").read_text(encoding="utf-8").splitlines()]

    assert [document["id"] for document in documents] == [answer["id"] for answer in gold]
    assert Counter(answer["category"] for answer in gold) == dict.fromkeys(load_task(None).task.label_space.parts, 12)


def test_the_sample_table_has_line_breaks_in_its_cells() -> None:
    with (SAMPLE_DATA / "docs.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, strict=True))

    assert len(rows) == 20
    assert any("\n" in row["body"] for row in rows)


def test_the_manuals_examples_are_valid_tasks() -> None:
    manual = (ROOT / "docs" / "reference" / "task-files.md").read_text(encoding="utf-8")
    plain, _groups, of_fields = re.findall(r"```toml\n(.*?)```", manual, re.DOTALL)

    assert parse_task(plain, "task-files.md").label_space.parts == ("termination", "amendment", "other")
    assert parse_task(of_fields, "task-files.md").label_space.columns() == ("topic", "tags", "severity", "urgent")


def test_the_manual_lists_each_finding_of_the_lint() -> None:
    manual = (ROOT / "docs" / "reference" / "task-files.md").read_text(encoding="utf-8")
    lint = (ROOT / "llmbatch" / "task" / "check.py").read_text(encoding="utf-8")
    codes = set(re.findall(r'Finding\(\s*"[a-z]+",\s*"([a-z-]+)"', lint))

    assert codes == set(re.findall(r"^\| `([a-z-]+)` \| (?:error|warning|note) \|", manual, re.MULTILINE))
