"""A canary that does worse is dropped early, an equal one is kept, and neither loses a row its label."""

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from msgspec import structs

from llmbatch.core.ledger_line import CANARY, CONTROL, FAILED, OK, LedgerLine, RowError
from llmbatch.core.rows import Place, Row
from llmbatch.engine.experiments.canary import Canary
from llmbatch.engine.experiments.watch import ExperimentPlan
from llmbatch.engine.plan import ModelChoice, make_plan
from llmbatch.observe.events import CanaryDropped, CanaryExpanded, Event
from llmbatch.stats.profile import Asked
from llmbatch.task.load import load_task
from tests.engine.simulated import PLAN, documents, run_simulated

CONTROL_ASKED, CANARY_ASKED = Asked("a" * 12, "m"), Asked("b" * 12, "m")
OTHER_PROMPT = load_task(None)
OTHER_PLAN = replace(
    make_plan(
        replace(OTHER_PROMPT, task=OTHER_PROMPT.task.model_copy(update={"instructions": "Label it."})),
        ModelChoice(),
        offline=False,
    ),
    arm=CANARY,
)


def row(number: int) -> Row:
    return Row(number, f"id-{number}", "text", Place("in", number + 1), {})


def outcome(number: int, arm: str, *, invalid: bool) -> LedgerLine:
    asked = CANARY_ASKED if arm == CANARY else CONTROL_ASKED
    return LedgerLine(
        row=number,
        id=f"id-{number}",
        key="0" * 32,
        status=FAILED if invalid else OK,
        prompt=asked.prompt,
        model=asked.model,
        started_at="2026-11-25T00:00:00Z",
        arm=arm,
        category=None if invalid else "technical",
        confidence=None if invalid else 0.9,
        parse="invalid" if invalid else "clean",
        error=RowError("invalid", None, "no label") if invalid else None,
    )


def experiments(
    rows: int, rates: dict[str, float], *, seed: int = 0, expand: bool = False
) -> tuple[Canary, list[Event]]:
    """A run of this many rows whose arms give invalid answers at these rates."""
    events: list[Event] = []
    canary = Canary(CONTROL_ASKED, CANARY_ASKED, share=0.1, expand=expand, emit=events.append)
    draw = Random(seed)
    for number in range(rows):
        arm = CANARY if canary.takes(row(number)) else CONTROL
        canary.watch(outcome(number, arm, invalid=draw.random() < rates[arm]))
    return canary, events


def test_a_canary_with_15_percent_invalid_answers_is_dropped_within_5000_rows() -> None:
    for seed in range(5):
        canary, events = experiments(5000, {CONTROL: 0.01, CANARY: 0.15}, seed=seed)
        assert canary.dropped is not None
        assert [type(event) for event in events] == [CanaryDropped]
        assert canary.report().canary.rows < 250, "long before the run ends"


def test_a_canary_that_does_well_doubles_its_share_up_to_half() -> None:
    canary, events = experiments(5000, {CONTROL: 0.01, CANARY: 0.01}, expand=True)
    assert [event.share for event in events if isinstance(event, CanaryExpanded)] == [0.2, 0.4, 0.5]
    assert canary.share == 0.5


def test_rows_with_the_same_id_are_assigned_by_their_text() -> None:
    canary = Canary(CONTROL_ASKED, CANARY_ASKED, share=0.3, expand=False, emit=lambda _: None)
    rows = [Row(n, "same", f"text {n}", Place("in", n + 1), {"id": "same"}) for n in range(1000)]
    assert sum(map(canary.takes, rows)) == pytest.approx(300, rel=0.2)


def test_a_rows_arm_is_the_same_in_every_run_and_a_larger_share_only_adds_rows() -> None:
    small, large = (
        Canary(CONTROL_ASKED, CANARY_ASKED, share=share, expand=False, emit=lambda _: None) for share in (0.1, 0.3)
    )
    chosen = [{n for n in range(4000) if canary.takes(row(n))} for canary in (small, large)]
    assert chosen[0] < chosen[1]
    assert len(chosen[0]) == pytest.approx(400, rel=0.2)


def test_lines_of_another_experiment_are_ignored() -> None:
    canary = Canary(CONTROL_ASKED, Asked("c" * 12, "m"), share=0.1, expand=False, emit=lambda _: None)
    canary.watch(outcome(1, CANARY, invalid=True))
    assert canary.report().canary.rows == 0


def test_several_labels_of_a_row_are_compared_one_by_one() -> None:
    """The canary adds a label to every row: no value equals the control's, but nearly all labels do."""
    canary = Canary(
        CONTROL_ASKED,
        CANARY_ASKED,
        share=0.5,
        expand=False,
        emit=lambda _: None,
        parts_of=lambda value: value.split("|"),
    )
    for number in range(2000):
        arm = CANARY if canary.takes(row(number)) else CONTROL
        value = "a|b|c" if arm == CONTROL else "a|b|c|d"
        canary.watch(structs.replace(outcome(number, arm, invalid=False), category=value))
    report = canary.report()
    assert set(report.canary.labels) == {"a", "b", "c", "d"}
    (shift,) = (shift for shift in report.shifts if shift.figure == "label shares")
    assert "25.0% moved" in shift.after, "one label of four, and not every value"


def test_in_a_run_every_row_gets_its_label_whatever_the_canary_does(tmp_path: Path) -> None:
    beside = ExperimentPlan(canary=OTHER_PLAN, share=0.5)
    run = run_simulated(tmp_path, documents(200), beside=beside, latency_s=0.1)
    assert {line.row for line in run.lines if line.status == OK} == set(range(200))
    assert {(line.arm, line.prompt) for line in run.lines} == {(CONTROL, PLAN.prompt), (CANARY, OTHER_PLAN.prompt)}
    assert run.experiments.canary is not None
    assert run.experiments.canary.dropped is None


def test_a_model_that_does_not_exist_ends_the_experiment_but_not_the_run(tmp_path: Path) -> None:
    missing = replace(make_plan(load_task(None), ModelChoice(model="gpt-9-none"), offline=False), arm=CANARY)
    run = run_simulated(
        tmp_path, documents(100), beside=ExperimentPlan(canary=missing, share=0.5), models=(PLAN.question.model,)
    )
    assert (run.reason, len(run.lines), run.outcomes) == (None, 100, {OK})
    assert run.experiments.canary is not None
    assert "model_not_found" in (run.experiments.canary.dropped or "")
