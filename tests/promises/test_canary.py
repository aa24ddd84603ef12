"""An equally good canary stays, however error rates vary; a worse one is dropped without growing first."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from llmbatch.core.ledger_line import CANARY, CONTROL
from llmbatch.core.rows import Place, Row
from llmbatch.engine.experiments.canary import Canary
from llmbatch.stats.profile import Asked
from tests.promises.simulation import fewest, most, row_line, runs

PROMPTS = {CONTROL: "a" * 12, CANARY: "b" * 12}
Rate = Callable[[str, float], float]


def experiments(seed: int, rows: int, rate: Rate, *, share: float = 0.1, expand: bool = False) -> Canary:
    """A run with a canary; `rate` gives a row's chance to be bad by its arm and how far the run is (0..1).

    A row that the canary fails is re-asked by the control, which finds it as hard.
    """
    asked = {arm: Asked(prompt, "m") for arm, prompt in PROMPTS.items()}
    canary = Canary(asked[CONTROL], asked[CANARY], share=share, expand=expand, emit=lambda _: None)
    draw = Random(seed)
    for n in range(rows):
        row = Row(n, f"{seed}-{n}", "text", Place("in", n + 1), {})
        arm = CANARY if canary.takes(row) else CONTROL
        bad = draw.random() < rate(arm, n / rows)
        canary.watch(row_line(n, bad=bad, arm=arm, prompt=PROMPTS[arm]))
        if arm == CANARY and bad:
            canary.watch(row_line(n, bad=draw.random() < 0.8, prompt=PROMPTS[CONTROL]))
    return canary


def late(_: str, at: float) -> float:
    return 0.01 if at < 0.7 else 0.3


def waves(_: str, at: float) -> float:
    return 0.25 if int(at * 10) % 2 else 0.02


def hard(_: str, __: float) -> float:
    return 0.2


@pytest.mark.parametrize("rate", [late, waves, hard])
@pytest.mark.parametrize("how", [{"share": 0.1, "expand": True}, {"share": 0.3}])
def test_an_equal_canary_is_dropped_in_at_most_5_percent_of_runs(rate: Rate, how: dict[str, Any]) -> None:
    seeds = runs(10, 500)
    dropped = sum(experiments(seed, 1500, rate, **how).dropped is not None for seed in seeds)
    assert dropped <= most(0.05, len(seeds))


def test_a_canary_with_three_times_the_bad_rows_grows_in_at_most_10_percent_of_runs() -> None:
    seeds = runs(12, 200)
    grown = sum(
        experiments(seed, 3000, lambda arm, _: 0.06 if arm == CANARY else 0.02, expand=True).share > 0.1
        for seed in seeds
    )
    assert grown <= most(0.1, len(seeds))


def test_an_equal_canary_grows_to_half() -> None:
    seeds = runs(8, 200)
    grown = sum(experiments(seed, 4000, lambda _, __: 0.04, expand=True).share == 0.5 for seed in seeds)
    assert grown >= fewest(0.8, len(seeds))


@pytest.mark.parametrize("rates", [(0.01, 0.15), (0.1, 0.3)])
def test_a_worse_canary_is_dropped_soon(rates: tuple[float, float]) -> None:
    seeds = runs(8, 200)
    canaries = [experiments(seed, 3000, lambda arm, _: rates[arm == CANARY]) for seed in seeds]
    assert sum(canary.dropped is not None for canary in canaries) >= fewest(0.95, len(seeds))


def test_arms_are_compared_over_rows_sent_at_the_same_share() -> None:
    report = experiments(3, 1500, late, expand=True).report()
    assert report.compared_rows < report.control.rows + report.canary.rows
    assert not any(shift.is_significant for shift in report.shifts)
    assert report.control.rows + report.canary.rows == 1500, "a row that fell back to the control is counted once"
