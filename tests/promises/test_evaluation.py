"""Evaluation: recommended thresholds and stored calibrations are reliable, and intervals cover the truth."""

from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest

from llmbatch.analysis.fit import fit_calibration
from llmbatch.analysis.metrics import proportion
from llmbatch.analysis.thresholds import Thresholds, thresholds
from llmbatch.stats.intervals import effective_rows, weighted, wilson
from tests.promises.simulation import fewest, most, runs

WANTED = 0.9


def precision_from(threshold: float, levels: np.ndarray, chances: np.ndarray) -> float:
    """The true precision of what passes if confidences are uniform over `levels` and right with `chances`."""
    return float(chances[levels >= threshold].mean())


def gold(draw: np.random.Generator, texts: int, copies: Sequence[int]) -> tuple[list[float], list[bool], list[int]]:
    """Gold rows: confidence, whether it is right, text; each text occurs `copies` times."""
    levels = draw.choice(LEVELS, texts)
    right = draw.random(texts) < np.interp(levels, LEVELS, CHANCES)
    times = draw.choice(list(copies), texts)
    rows = np.repeat(np.arange(texts), times)
    return levels[rows].tolist(), right[rows].tolist(), rows.tolist()


LEVELS = np.array([0.5, 0.7, 0.9, 0.99])
CHANCES = np.array([0.7, 0.8, 0.88, 0.95])
"""At the second strictest level the precision is 91.5%; at lower levels it is below the wanted one."""


@pytest.mark.parametrize("copies", [(1,), (5,), (1, 1, 1, 20)])
def test_a_recommended_threshold_is_too_low_in_at_most_5_percent_of_cases(copies: Sequence[int]) -> None:
    seeds, broken, shown = runs(60, 2000), 0, 0
    for draw in map(np.random.default_rng, seeds):
        confidences, right, texts = gold(draw, 400, copies)
        table = thresholds(confidences, right, confidences, wanted=WANTED, texts=texts)
        if table.recommended is not None:
            shown += 1
            broken += precision_from(table.recommended.threshold, LEVELS, CHANCES) < WANTED
    assert broken <= most(0.05, len(seeds))


def test_sufficient_precision_is_shown_in_80_percent_of_cases() -> None:
    seeds = runs(30, 500)
    found = 0
    for draw in map(np.random.default_rng, seeds):
        right = (draw.random(400) < 0.96).tolist()
        found += thresholds([0.9] * 400, right, [0.9] * 400, wanted=WANTED).recommended is not None
    assert found >= fewest(0.8, len(seeds))


def test_a_few_repeated_texts_show_nothing() -> None:
    table = thresholds([0.9] * 400, [True] * 400, [0.9] * 400, wanted=0.98, texts=[n % 4 for n in range(400)])
    assert table.recommended is None
    assert "400 gold rows with 4 distinct texts are too few" in (table.remark or "")


def test_one_text_of_many_rows_is_weighted_by_its_rows() -> None:
    """Of 301 texts one is wrong, but it occurs in a fifth of the rows."""
    texts = [*range(300), *[300] * 75]
    right = [*[True] * 300, *[False] * 75]
    table: Thresholds = thresholds([0.9] * 375, right, [0.9] * 375, wanted=0.9, texts=texts)
    assert table.recommended is None


@pytest.mark.parametrize("copies", [1, 5])
def test_calibrated_confidences_are_left_alone_in_90_percent_of_cases(copies: int) -> None:
    cases, stored = list(product(runs(3, 300), ("spread", "four values"))), 0
    for seed, kind in cases:
        draw = np.random.default_rng(seed)
        stated = draw.beta(6, 2, 300).round(3) if kind == "spread" else draw.choice([0.6, 0.8, 0.9, 0.95], 300)
        right = draw.random(300) < stated
        texts = np.repeat(np.arange(300), copies)
        fit = fit_calibration(stated[texts].tolist(), right[texts].tolist(), texts=texts.tolist())
        stored += fit.chosen is not None
    assert stored <= most(0.1, len(cases))


def test_overconfident_ones_are_calibrated_and_improve() -> None:
    seeds, helped = runs(5, 200), 0
    for draw in map(np.random.default_rng, seeds):
        true = draw.beta(6, 2, 400)
        stated = 1 / (1 + ((1 - true) / true) ** 2)
        fit = fit_calibration(stated.tolist(), (draw.random(400) < true).tolist())
        helped += fit.chosen is not None and fit.held_out[fit.chosen].gain > 0
    assert helped >= fewest(0.9, len(seeds))


@pytest.mark.parametrize(("texts", "copies"), [(10, 1), (60, 1), (60, 8), (400, 3)])
def test_accuracy_intervals_cover_the_truth_in_95_percent_of_cases(texts: int, copies: int) -> None:
    seeds, missed = runs(200, 4000), 0
    for draw in map(np.random.default_rng, seeds):
        times = draw.integers(1, copies + 1, texts)
        right = np.repeat(draw.random(texts) < 0.85, times)
        found = proportion(int(right.sum()), len(right), np.repeat(np.arange(texts), times).tolist())
        missed += not (found.low or 0) <= 0.85 <= (found.high or 0)
    assert missed <= most(0.06, len(seeds)), "Wilson's interval covers 95% on average, a little less in places"


@pytest.mark.parametrize("rows", [1, 3, 50, 100_000])
def test_an_interval_contains_its_own_estimate(rows: int) -> None:
    for hits in {0, 1, rows // 2, rows}:
        low, high = wilson(hits / rows, rows)
        assert 0 <= low <= hits / rows <= high <= 1
    assert wilson(0, rows)[0] == 0
    assert wilson(1, rows)[1] == 1


def test_copies_add_no_evidence() -> None:
    assert effective_rows([]) == 0
    assert effective_rows(range(7)) == 7
    assert effective_rows([n % 5 for n in range(100)]) == pytest.approx(5)
    assert weighted([(0.5, 0.0, 0.0, 0.1), (0.5, 0.2, 0.1, 0.3)])[0] == pytest.approx(0.1)
