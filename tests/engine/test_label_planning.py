"""Whether all labels are listed, or only those retrieved for each document."""

from pathlib import Path
from typing import Any

import pytest

from llmbatch import classify
from llmbatch.core import defaults
from llmbatch.core.errors import UsageError
from llmbatch.core.prices import parse_price
from llmbatch.engine.label_planning import LabelPlan, plan_labels, with_planned_labels
from llmbatch.engine.plan import ModelChoice
from llmbatch.task.load import LoadedTask
from llmbatch.task.model import Example, Task
from tests.task.test_candidates import made_task

CHEAP_CACHE, EXPENSIVE_CACHE = parse_price("1,0.001,1"), parse_price("1,1,1")


def with_examples(task: Task, count: int) -> Task:
    """Two examples for each label, worded like the label."""
    found = [
        Example(text=f"{label.description} {word}", label=label.name)
        for label in task.labels[: count // 2]
        for word in ("one", "two")
    ]
    return task.model_copy(update={"examples": tuple(found)})


def planned(task: Task, price: Any = CHEAP_CACHE) -> LabelPlan:
    return plan_labels(LoadedTask(task, "t", "1"), ModelChoice(), offline=True, price=price)


def test_labels_are_retrieved_if_they_exceed_the_schema_limit() -> None:
    plan = planned(made_task(1_001))
    assert plan.candidates == 50
    assert "1,001 labels: structured outputs take at most 1,000" in plan.why
    assert "not known without examples: 50 are retrieved" in plan.why


def test_the_shortest_list_with_enough_recall_is_chosen() -> None:
    plan = planned(with_examples(made_task(1_001), 60))
    assert plan.candidates == 10
    assert "recall 100.0% on 60 examples that the search had not seen" in plan.why


@pytest.mark.parametrize(("price", "candidates"), [(CHEAP_CACHE, None), (EXPENSIVE_CACHE, 10), (None, None)])
def test_if_both_are_possible_the_price_decides(price: Any, candidates: int | None) -> None:
    plan = planned(with_examples(made_task(150), 60), price)
    full, first = plan.options[0], plan.options[1]
    assert plan.candidates == candidates
    assert (full.candidates, full.recall, first.candidates) == (None, 1.0, 10)
    if price is not None:
        assert full.cost_nanousd is not None
        assert first.cost_nanousd is not None
        assert (first.cost_nanousd < full.cost_nanousd) == (candidates is not None)


def test_explicit_settings_and_recorded_decisions_are_kept() -> None:
    small, large = (LoadedTask(made_task(count), "t", "1") for count in (20, 1_001))

    def decided(loaded: LoadedTask, candidates: int | None, standing: ModelChoice | None = None) -> int | None:
        choice, _ = with_planned_labels(
            loaded, ModelChoice(candidates=candidates), offline=True, price=CHEAP_CACHE, standing=standing
        )
        return choice.candidates

    assert decided(small, None) is None
    assert decided(large, defaults.ALL_LABELS) == defaults.ALL_LABELS
    assert decided(large, 7) == 7
    assert decided(large, None) == 50
    assert decided(large, None, ModelChoice(candidates=20)) == 20, "a resumed run keeps its decision"
    assert decided(large, None, ModelChoice()) is None, "also a run of an earlier version"
    assert decided(small, defaults.PLANNED_LABELS) == defaults.ALL_LABELS


@pytest.mark.parametrize("value", [1, 201, "many", "-1", 0])
def test_an_invalid_number_of_labels_is_refused(value: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"candidates.*neither a number from 2 to 200"):
        classify(["A text."], candidates=value, offline=True, out=tmp_path / "run")
