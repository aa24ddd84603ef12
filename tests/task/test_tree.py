"""Label trees: in the task file, in the prompt, in answers and in human labels."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.core.errors import UsageError
from llmbatch.simulate.reading import read_labels
from llmbatch.task.answer import AnswerParser
from llmbatch.task.fields import Label
from llmbatch.task.kind import InvalidAnswerError
from llmbatch.task.load import parse_task
from llmbatch.task.prefix import build_prefix
from llmbatch.task.tree import LabelTree

TASK = """
name = "tickets"
[[labels]]
name = "billing"
description = "Money."
[[labels]]
name = "refund"
parent = "billing"
description = "Money back."
[[labels]]
name = "invoice"
parent = "billing"
[[labels]]
name = "technical"
description = "It does not work."
allow_inner = true
[[labels]]
name = "technical/login"
aliases = ["sign-in"]
[[labels]]
name = "technical/login/password"
[[labels]]
name = "other"
"""


def test_answers_are_the_leaves_and_allowed_inner_labels() -> None:
    task = parse_task(TASK, "t.toml")
    assert task.label_space.parts == ("other", "refund", "invoice", "technical", "technical/login/password")
    assert "billing" not in task.label_space
    tree = task.label_space.fields[0].tree
    assert tree.path("technical/login/password") == ("technical", "technical/login", "technical/login/password")
    assert tree.depth == 3


def test_the_prompt_lists_labels_under_their_groups() -> None:
    prefix = build_prefix(parse_task(TASK, "t.toml"))
    assert prefix.partition("# Labels\n")[2].partition("\n\n")[0].split("\n") == [
        "- other",
        "Group billing (itself no label): Money.",
        "- refund: Money back.",
        "- invoice",
        "Group technical: It does not work.",
        "- technical: Only where the group is right and none of its labels is.",
        "Group technical > technical/login (itself no label)",
        "- technical/login/password",
    ]
    assert [label.name for label in read_labels(prefix, None)] == list(parse_task(TASK, "t.toml").label_space.parts)


def test_an_inner_label_is_an_answer_only_if_allowed() -> None:
    parser = AnswerParser(parse_task(TASK, "t.toml").label_space)
    assert parser.parse(json.dumps({"category": "technical", "percent": 80})).category == "technical"
    for inner in ("billing", "technical/login", "sign-in"):
        with pytest.raises(InvalidAnswerError):
            parser.parse(json.dumps({"category": inner, "percent": 80}))


def test_a_human_label_may_be_a_path() -> None:
    space = parse_task(TASK, "t.toml").label_space
    assert space.spelled("billing/refund") == "refund"
    assert space.spelled("Billing/Refund") == "refund"
    assert space.spelled("refund") == "refund"
    assert space.spelled("billing") is None


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        (
            '[[labels]]\nname = "a"\nparent = "x"\n[[labels]]\nname = "b"\n',
            "the parent 'x', which is not a label",
        ),
        ('[[labels]]\nname = "a"\nparent = "b"\n[[labels]]\nname = "b"\nparent = "a"\n', "is its own ancestor"),
        ('[[labels]]\nname = "a"\nparent = "a"\n[[labels]]\nname = "b"\n', "is its own ancestor"),
        ('[[labels]]\nname = "a"\nallow_inner = true\n[[labels]]\nname = "b"\n', "no label is under it"),
        ('[[labels]]\nname = "a"\n[[labels]]\nname = "b"\nparent = "a"\n', "at least two labels"),
    ],
)
def test_an_invalid_tree_is_refused(labels: str, why: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_task(f'name = "t"\n{labels}', "t.toml")
    assert why in str(refused.value)


def test_a_task_without_parents_is_saved_in_the_old_form() -> None:
    task = parse_task('name = "t"\n[[labels]]\nname = "a"\n[[labels]]\nname = "Sci/Tech"\n', "t.toml")
    assert task.model_dump(mode="json")["labels"] == [
        {"name": "a", "description": "", "aliases": []},
        {"name": "Sci/Tech", "description": "", "aliases": []},
    ]
    assert task.label_space.parts == ("a", "Sci/Tech")


@given(st.lists(st.integers(-1, 8), min_size=1, max_size=10))
def test_every_label_has_one_path_and_every_answer_one_group(parents: list[int]) -> None:
    labels = [
        Label(name=f"l{n}", parent=None if parent < 0 or parent >= n else f"l{parent}")
        for n, parent in enumerate(parents)
    ]
    tree = LabelTree(labels)
    for label in labels:
        path = tree.path(label.name)
        assert path[-1] == label.name
        assert path[:-1] == (() if label.parent is None else tree.path(label.parent))
    in_groups = [label.name for group in tree.groups() for label in group.answers]
    leaves = {label.name for label in labels} - {label.parent for label in labels}
    assert sorted(in_groups) == sorted(leaves)
    assert sum(map(tree.count, range(1, tree.depth + 1))) == len(labels)
