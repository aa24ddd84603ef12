"""Descent through the groups of a label tree, one list at a time."""

import pytest

from llmbatch.core.defaults import LABELS_BY_LEVEL
from llmbatch.core.errors import UsageError
from llmbatch.engine.plan import ModelChoice, Plan, make_plan
from llmbatch.task.descent import Descent
from llmbatch.task.load import LoadedTask, parse_task
from llmbatch.task.model import Task

TREE = """
name = "desk"
labels = [
    { name = "billing", description = "Money." },
    { name = "billing/refund", description = "Money back." },
    { name = "billing/invoice", description = "A bill that is wrong." },
    { name = "technical", description = "It does not work.", allow_inner = true },
    { name = "login", parent = "technical", description = "Passwords and accounts." },
    { name = "crash", parent = "technical", description = "It stops." },
    { name = "outage", parent = "crash", description = "For all at once." },
    { name = "freeze", parent = "crash", description = "It stands still." },
    { name = "other" },
]
"""


@pytest.fixture
def descent() -> Descent:
    return Descent(parse_task(TREE, "desk.toml"))


def plan_of(task: Task, candidates: int = LABELS_BY_LEVEL) -> Plan:
    return make_plan(LoadedTask(task, "desk.toml", "v"), ModelChoice(candidates=candidates), offline=True)


def test_each_list_has_the_direct_children_of_the_chosen_group(descent: Descent) -> None:
    top = descent.shortlist("It crashes")
    assert top.text == (
        "# Labels for this document\n"
        "1. billing: Money. (a group, with billing/refund, billing/invoice)\n"
        "2. technical: It does not work. (a group, with login, crash)\n"
        "3. other\n"
    )
    assert top.is_shared
    technical = descent.following("It crashes", "2", 0.9, top)
    assert technical is not None
    assert technical.names == {"category": ("technical", "login", "crash")}
    assert "1. technical: It does not work. (only where none of the others is right)" in technical.text
    crash = descent.following("It crashes", "3", 0.8, technical)
    assert crash is not None
    assert crash.names["category"] == ("outage", "freeze")
    assert crash.sureness == pytest.approx(0.72)
    assert descent.following("It crashes", "1", 0.9, crash) is None, "a leaf is final"
    assert descent.following("It crashes", "1", 0.9, technical) is None, "an allowed inner label is final too"
    assert descent.following("It crashes", "3", 0.9, top) is None
    assert descent.named("1", technical) == "technical"


def test_an_answer_of_none_searches_the_whole_tree_once(descent: Descent) -> None:
    top = descent.shortlist("My invoice is wrong")
    wide = descent.following("My invoice is wrong", "none", 0.9, top)
    assert wide is not None
    assert (wide.is_shared, wide.is_wider, wide.names["category"][0]) == (False, True, "billing/invoice")
    assert descent.following("My invoice is wrong", "none", 0.9, wide) is None, "then the row needs review"


def test_each_list_is_a_prefix_and_everything_that_affects_the_lists_is_in_the_key(descent: Descent) -> None:
    plan = plan_of(parse_task(TREE, "desk.toml"))
    assert plan.before("any text") == ""
    assert plan.first_question.prefix == f"{plan.question.prefix}\n{descent.shortlist('').text}"
    assert len(plan.levels) == descent.levels == 3
    assert [len(level) for level in descent.lists()] == [1, 2, 1]
    changed = plan_of(parse_task(TREE.replace("It stops.", "It ends."), "desk.toml"))
    candidates = plan_of(parse_task(TREE, "desk.toml"), 3)
    assert len({plan.fingerprint, changed.fingerprint, candidates.fingerprint}) == 3


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ('name = "flat"\nlabels = [{ name = "a" }, { name = "b" }]', "flat has none"),
        (
            'name = "wide"\nlabels = [{ name = "g" }, '
            + ", ".join(f'{{ name = "g/{number}" }}' for number in range(501))
            + ', { name = "h" }, { name = "h/1" }]',
            "501 labels are directly under one group",
        ),
        (
            'name = "several"\n[[fields]]\nname = "t"\nkind = "multi"\nlabels = [{ name = "a" }, { name = "a/b" }]',
            "several has none",
        ),
    ],
)
def test_a_task_without_usable_levels_is_refused(task: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        plan_of(parse_task(task, "task.toml"))
