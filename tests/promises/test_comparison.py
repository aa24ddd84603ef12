"""Comparing arms: equal arms differ significantly in at most 5% of comparisons, however many arms and looks."""

import gc

import numpy as np
import pytest
from scipy.stats import binomtest
from statsmodels.stats.multitest import multipletests

from llmbatch.analysis.comparison import Arm, ArmAnswer, compare
from llmbatch.analysis.paired import Table, holm, mcnemar, paired_difference, rows_for, rows_to_tell
from tests.promises.simulation import fewest, most, runs


def arm(right: np.ndarray) -> Arm:
    """An arm with the right answer where `right` says so."""
    answers = tuple(ArmAnswer("a" if one else "b", 0.9, None, 1, 0, 1000, 0.5) for one in right)
    return Arm("arm", "m", "task", answers)


def shown(arms: list[np.ndarray], texts: list[int] | None = None, *, looks: int = 1) -> bool:
    comparison = compare([arm(one) for one in arms], ["a"] * len(arms[0]), texts, looks=looks)
    return any(versus.is_shown for versus in comparison.versus)


@pytest.mark.parametrize(("rows", "others", "copies"), [(20, 1, 1), (150, 4, 1), (40, 1, 5)])
def test_equal_arms_differ_in_at_most_5_percent_of_comparisons(rows: int, others: int, copies: int) -> None:
    seeds, found = runs(20, 3000), 0
    texts = np.repeat(np.arange(rows), copies)
    for draw in map(np.random.default_rng, seeds):
        found += shown([(draw.random(rows) < 0.7)[texts] for _ in range(1 + others)], texts.tolist())
    assert found <= most(0.05, len(seeds))


def test_another_look_after_adding_rows_keeps_the_error_level() -> None:
    seeds, found = runs(20, 3000), 0
    for draw in map(np.random.default_rng, seeds):
        one, other = (draw.random(400) < 0.7 for _ in range(2))
        found += any(shown([one[:rows], other[:rows]], looks=2) for rows in range(50, 401, 50))
    assert found <= most(0.05, len(seeds))


@pytest.mark.parametrize("looks", [1, 3])
def test_ten_points_are_detected_on_the_planned_number_of_texts(looks: int) -> None:
    seeds, found = runs(20, 1000), 0
    texts = rows_for(0.1, apart=20, texts=100) * (1 if looks == 1 else 2)
    for draw in map(np.random.default_rng, seeds):
        kind = draw.choice(3, texts, p=[0.05, 0.15, 0.8])
        found += shown([kind != 1, kind != 0], looks=looks)
    assert found >= fewest(0.78, len(seeds))


@pytest.mark.parametrize(("texts", "alone"), [(30, 0.1), (200, 0.05), (200, 0.0)])
def test_the_differences_interval_covers_the_truth_in_95_percent_of_cases(texts: int, alone: float) -> None:
    seeds, missed = runs(100, 4000), 0
    for draw in map(np.random.default_rng, seeds):
        counts = draw.multinomial(texts, [0.75, alone, alone + 0.04, 0.21 - 2 * alone])
        difference = paired_difference(Table(*counts.tolist()))
        assert difference is not None
        assert difference.low <= difference.value <= difference.high
        missed += not difference.low <= 0.04 <= difference.high
    assert missed <= most(0.055, len(seeds))


def test_the_paired_interval_matches_newcombe() -> None:
    """Table II of his paper, methods 10: 36 pairs of both, 12 and 2 alone, none of neither."""
    found = paired_difference(Table(both=36, only_first=2, only_other=12, neither=0))
    assert found is not None
    assert (round(found.low, 4), round(found.high, 4)) == (0.0569, 0.3404)


def test_without_a_differing_text_the_largest_likely_difference_counts() -> None:
    likely = rows_to_tell((0.05815 + 0.02) / 2, (0.05815 - 0.02) / 2) or 0
    assert likely < rows_for(0.02, apart=0, texts=50) < 1.1 * likely
    assert rows_for(0.02, apart=0, texts=50) > rows_for(0.02, apart=0, texts=5000)


@pytest.mark.parametrize("p_values", [[0.01], [0.04, 0.01, 0.5], [0.2, 0.2, 0.01, 0.9]])
def test_holm_matches_statsmodels(p_values: list[float]) -> None:
    gc.freeze()  # statsmodels collects garbage on each call
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1].tolist())


def test_a_repeated_text_counts_as_one_piece_of_evidence() -> None:
    one, other = np.array([False, True]).repeat(50), np.array([True, True]).repeat(50)
    (versus,) = compare([arm(one), arm(other)], ["a"] * 100, [n // 50 for n in range(100)]).versus
    assert versus.mcnemar is not None
    assert (versus.texts, versus.mcnemar.other_alone_right, versus.mcnemar.p_value) == (2, 1, 1.0)
    assert mcnemar(Table(3, 2, 9, 0)).p_value == pytest.approx(binomtest(2, 11).pvalue)
