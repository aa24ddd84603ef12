"""Drift: fewer than 1 in 1,000 equal runs raise an alarm, at any number of rows; real shifts are detected."""

import numpy as np
import pytest

from llmbatch.engine.experiments.run_profiler import RunStatisticsCollector
from llmbatch.stats.profile import Asked, Profile
from llmbatch.stats.shifts import shifts
from tests.promises.simulation import fewest, most, row_line, runs

RISK = 0.001


def simulated_run(draw: np.random.Generator, rows: int, *, kind: str, shifted: float = 0.0) -> Profile:
    """A run's statistics; `kind` is the shape of its figures, `shifted` (0..1) the share of rows that differ."""
    profiler = RunStatisticsCollector(Asked("a" * 12, "m"))
    labels = [str(n) for n in range(40 if kind == "many labels" else 4)]
    for row in range(rows):
        moved = draw.random() < shifted
        base_confidence = {"two values": draw.choice([0.9, 0.3], p=[0.9, 0.1]), "constant": 0.95}.get(
            kind, draw.beta(8, 2)
        )
        profiler.watch(
            row_line(
                row,
                label="moved" if moved else labels[int(len(labels) * draw.random() ** 2)],
                confidence=round(float(base_confidence) * (0.8 if moved else 1), 2),
                tokens=int(draw.lognormal(5, 1.2)),
                bad=draw.random() < (0.3 if moved else 0.02),
            )
        )
    return profiler.profile()


def alarms(before: Profile, after: Profile) -> bool:
    return any(shift.is_significant for shift in shifts(before, after))


@pytest.mark.parametrize("kind", ["two values", "constant", "spread", "many labels"])
@pytest.mark.parametrize("rows", [(2, 2), (30, 30), (5, 300), (200, 200)])
def test_equal_runs_hardly_ever_raise_an_alarm(rows: tuple[int, int], kind: str) -> None:
    seeds = runs(12, 3000)
    found = sum(
        alarms(simulated_run(draw, rows[0], kind=kind), simulated_run(draw, rows[1], kind=kind))
        for draw in map(np.random.default_rng, seeds)
    )
    assert found <= most(RISK, len(seeds))


def test_a_small_run_against_a_large_one() -> None:
    draw = np.random.default_rng(1)
    large = simulated_run(draw, 3000, kind="two values")
    seeds = runs(40, 3000)
    assert sum(alarms(large, simulated_run(draw, 50, kind="two values")) for _ in seeds) <= most(RISK, len(seeds))


def test_a_shift_is_detected_in_80_percent_of_cases() -> None:
    seeds = runs(20, 300)
    found = sum(
        alarms(simulated_run(draw, 400, kind="spread"), simulated_run(draw, 400, kind="spread", shifted=0.15))
        for draw in map(np.random.default_rng, seeds)
    )
    assert found >= fewest(0.8, len(seeds))


def test_many_labels_that_each_move_a_little_are_detected() -> None:
    draw = np.random.default_rng(2)
    shares = draw.dirichlet(np.full(150, 20.0))
    moved = shares * draw.choice([0.6, 1.4], 150)
    before, after = (
        Profile(rows=5000, labels=dict(zip(map(str, range(150)), draw.multinomial(5000, one).tolist(), strict=True)))
        for one in (shares, moved / moved.sum())
    )
    assert [shift.figure for shift in shifts(before, after) if shift.is_significant] == ["label shares"]


def test_only_different_constant_figures_have_shifted() -> None:
    def constant(confidence: float) -> Profile:
        profiler = RunStatisticsCollector(Asked("a" * 12, "m"))
        for row in range(30):
            profiler.watch(row_line(row, confidence=confidence))
        return profiler.profile()

    assert not alarms(constant(0.9), constant(0.9))
    assert [shift.figure for shift in shifts(constant(0.9), constant(0.8)) if shift.is_significant] == ["confidence"]


def test_a_row_counts_once_by_its_first_outcome_however_often_it_is_retried() -> None:
    profiler = RunStatisticsCollector(Asked("a" * 12, "m"))
    for line in [row_line(0, bad=True)] * 3 + [
        row_line(0),
        row_line(1),
        row_line(2, bad=True, arm="canary"),
        row_line(2),
    ]:
        profiler.watch(line)
    profile = profiler.profile()
    assert (profile.rows, profile.failed, profile.useless) == (2, 1, 1), (
        "a row that failed with the canary does not count for the control"
    )
