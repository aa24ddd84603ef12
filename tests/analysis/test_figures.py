"""Every figure against one that a reference computes independently."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.inter_rater import cohens_kappa
from statsmodels.stats.proportion import proportion_confint

from llmbatch.analysis.metrics import proportion, score
from llmbatch.analysis.reliability import reliability
from llmbatch.analysis.thresholds import parse_precision, thresholds
from llmbatch.core.errors import UsageError

LABELS = ("a", "b", "c", "never")


@given(st.integers(0, 400), st.integers(1, 400))
def test_intervals_match_wilson(count: int, more: int) -> None:
    total = count + more
    interval = proportion(count, total)
    low, high = proportion_confint(count, total, method="wilson")
    assert [interval.low, interval.high] == pytest.approx([low, high], abs=1e-9)


def test_scores_match_their_definitions() -> None:
    gold = list("aaaaabbbbcca")
    answers: list[str | None] = [*"aaabcbbbacc", None]
    scores = score(gold, answers, LABELS)
    by_label = {label.label: label for label in scores.labels}
    assert list(by_label) == ["a", "b", "c"], "labels that occur nowhere are left out"
    assert (by_label["a"].precision, by_label["a"].recall) == (3 / 4, 3 / 5)
    assert by_label["a"].f1 == pytest.approx(2 * 0.75 * 0.6 / 1.35)
    assert scores.matrix == ((3, 1, 1), (1, 3, 0), (0, 0, 2))
    assert scores.kappa == pytest.approx(cohens_kappa(np.array(scores.matrix)).kappa)
    assert scores.macro.recall == pytest.approx((3 / 5 + 3 / 4 + 1) / 3)
    assert scores.weighted.recall == pytest.approx(scores.accuracy.value), "weighted recall is accuracy"
    assert (scores.accuracy.count, scores.accuracy.total) == (8, 11)
    assert (scores.coverage.count, scores.coverage.total) == (11, 12)
    assert (scores.accuracy_of_all.count, scores.accuracy_of_all.total) == (8, 12)


def test_undefined_figures_are_none() -> None:
    scores = score(["a", "a"], ["a", "b"], LABELS)
    assert [(label.precision, label.recall) for label in scores.labels] == [(1, 0.5), (0, None)]
    assert score(["a"], ["a"], LABELS).kappa is None
    none = score(["a"], [None], LABELS)
    assert (none.accuracy.value, none.coverage.value, none.labels) == (None, 0, ())
    assert reliability([], []) is None


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=200))
def test_calibration_errors_match_their_definitions(rows: list[tuple[float, bool]]) -> None:
    confidences, right = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    found = reliability([float(value) for value in confidences], [bool(value) for value in right])
    assert found is not None
    assert found.brier == pytest.approx(np.mean((confidences - right) ** 2))
    which = np.clip(np.digitize(np.round(confidences, 10), np.round(np.arange(1, 10) / 10, 10)), 0, 9)
    gaps = [
        abs(right[which == n].mean() - confidences[which == n].mean()) * (which == n).mean()
        for n in range(10)
        if (which == n).any()
    ]
    assert found.ece == pytest.approx(sum(gaps))
    assert sum(one.right.total for one in found.bins) == len(rows)


def made_up(n: int, seed: int) -> tuple[list[float], list[bool]]:
    """Rows whose confidence is the probability that they are right."""
    random = np.random.default_rng(seed)
    confidences = np.round(random.beta(5, 1, n), 3)
    return [float(value) for value in confidences], [bool(value) for value in random.random(n) < confidences]


def test_a_threshold_row_counts_passed_rows_and_rows_for_review() -> None:
    confidences, right = made_up(1500, 1)
    run = [*confidences, *np.linspace(0, 1, 500)]
    table = thresholds(confidences, right, run, wanted=0.9)
    assert table.recommended is not None
    for row in table.rows:
        passed = [ok for value, ok in zip(confidences, right, strict=True) if value >= row.threshold]
        assert (row.passed, row.right) == (len(passed), sum(passed))
        assert row.to_people == sum(value < row.threshold for value in run)
        low, _ = proportion_confint(row.right, row.passed, alpha=2 * (1 - table.level), method="beta")
        assert row.at_least == pytest.approx(low)
    assert table.rows[0].passed == 1500, "the loosest threshold passes every row"
    assert table.recommended.at_least >= 0.9
    assert not any(row.shown for row in table.rows if row.threshold < table.recommended.threshold)


def test_a_recommended_threshold_reaches_the_wanted_precision() -> None:
    """Of many small gold sets, few give a threshold with less than the wanted precision on all rows."""
    confidences, right = made_up(20_000, 2)
    order = np.argsort(confidences)[::-1]
    said, was = np.array(confidences)[order], np.array(right)[order]
    precision = np.cumsum(was) / np.arange(1, len(was) + 1)
    random, broken, recommended = np.random.default_rng(3), 0, 0
    for _ in range(40):
        chosen = random.integers(0, len(said), 400)
        found = thresholds(said[chosen].tolist(), was[chosen].tolist(), [], wanted=0.9).recommended
        if found is not None:
            recommended += 1
            broken += bool(precision[np.searchsorted(-said, -found.threshold, side="right") - 1] < 0.9)
    assert recommended > 20
    assert broken <= 0.05 * 40


def test_too_little_gold_is_reported() -> None:
    table = thresholds([0.9] * 50, [True] * 50, [0.9] * 50, wanted=0.98)
    assert table.recommended is None
    assert table.least_gold_rows == math.ceil(math.log(0.05) / math.log(0.98)) == 149
    assert table.remark is not None
    assert "50 gold rows are too few: at least 149" in table.remark
    enough = thresholds([0.9] * 149, [True] * 149, [0.9] * 149, wanted=0.98)
    assert enough.recommended is not None


def remark(confidences: Sequence[float], right: Sequence[bool]) -> str:
    return thresholds(confidences, right, confidences, wanted=0.95).remark or ""


def test_the_remark_without_a_threshold_says_what_would_help() -> None:
    assert "no threshold reaches it: the best is 50.0%" in remark([0.9] * 400, [True, False] * 200)
    assert "gold rows might demonstrate it" in remark([0.9] * 400, [True] * 384 + [False] * 16)
    assert remark([], []).startswith("0 gold rows")


@pytest.mark.parametrize(("text", "value"), [("98%", 0.98), ("0.98", 0.98), (" 99.5% ", 0.995)])
def test_a_precision_is_read_as_a_share_or_a_percentage(text: str, value: float) -> None:
    assert parse_precision(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["100%", "1", "0", "98", "nan", "much"])
def test_a_precision_out_of_range_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--precision"):
        parse_precision(text)
