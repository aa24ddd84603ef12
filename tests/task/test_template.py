"""The task file template."""

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.core.errors import UsageError
from llmbatch.task.check import check_task
from llmbatch.task.fields import folded
from llmbatch.task.load import load_task, parse_task
from llmbatch.task.template import task_template

one_line = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=60).filter(
    lambda name: folded(name) != "" and name == name.strip()
)


@given(one_line, st.lists(one_line, min_size=2, max_size=6, unique_by=folded))
def test_any_name_and_labels_round_trip(name: str, labels: list[str]) -> None:
    task = parse_task(task_template(name, labels), "t.toml")

    assert task.name == name
    assert task.label_space.parts == tuple(labels)


def test_the_template_loads_from_its_file(task_file: Callable[[str | bytes], Path]) -> None:
    text = task_template('quote " and \\', ["a", "yes, 'no'", "日本語", "# not a comment"])

    assert load_task(task_file(text)).task.label_space.parts == ("a", "yes, 'no'", "日本語", "# not a comment")


def test_the_lint_findings_of_the_template_are_its_to_do_list() -> None:
    task = parse_task(task_template("mine", ["a", "b", "c"]), "t.toml")

    assert {finding.code for finding in check_task(task, model=None)} == {
        "no-description",
        "short-prefix",
        "no-examples",
        "no-catch-all",
        "prefix-size",
    }


def test_the_commented_examples_of_the_template_are_valid() -> None:
    marked = task_template("mine", ["a", "b"]).splitlines()
    shown = [line.removeprefix("# ") for line in marked if not line.startswith("# ") or " = " in line or "[[" in line]

    assert [example["label"] for example in tomllib.loads("\n".join(shown))["examples"]] == ["a", "b"]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([], "labels is missing"),
        (["a"], "labels are too few: a task needs at least 2, and this one has 1"),
        (["a", "A"], "'A' stands for two labels"),
        (["a", ""], r"labels\[1\].name must be one line of text"),
        (["a", "b\nc"], r"labels\[1\].name must be one line of text"),
        (["a", "b\x7f"], r"labels\[1\].name must be one line of text"),
        (["a", "\udcff"], "is not valid Unicode text"),
    ],
)
def test_invalid_labels_are_refused(labels: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        task_template("mine", labels)
