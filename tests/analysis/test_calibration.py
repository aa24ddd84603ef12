"""Confidence calibration: fitted with libraries, applied without them."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from llmbatch.analysis.fit import Method, fit_calibration
from llmbatch.core.errors import UsageError
from llmbatch.core.ledger_line import LedgerLine
from llmbatch.core.rows import ConfidenceKind
from llmbatch.engine.plan import ModelChoice, make_plan
from llmbatch.engine.scoring import Recalibration, Scorer
from llmbatch.provider.completion import Completion
from llmbatch.runs.calibrations import CalibrationFile, calibration_path, load_calibrations, save_calibration
from llmbatch.task.answer import Answer
from llmbatch.task.calibration import Calibration, fitting_calibration, log_odds
from llmbatch.task.load import load_task


def calibration(**changes: Any) -> Calibration:
    fields: dict[str, Any] = {
        "prompt": "p",
        "model": "m",
        "offline": False,
        "confidence": ConfidenceKind.reported,
        "method": "platt",
        "rows": 100,
        "gold": "g",
        "fitted_at": "2026-11-25T00:00:00Z",
    }
    return Calibration(**{**fields, **changes})


def overconfident(n: int, seed: int = 0) -> tuple[list[float], list[bool]]:
    """Rows that are right less often than their stated confidence, by a sigmoid."""
    random = np.random.default_rng(seed)
    stated = np.round(random.beta(4, 1, n), 2).clip(0.01, 0.99)
    odds = np.array([log_odds(value) for value in stated])
    return stated.tolist(), (random.random(n) < 1 / (1 + np.exp(-(0.6 * odds - 0.5)))).tolist()


def test_applied_values_match_the_libraries_predictions() -> None:
    stated, right = overconfident(600)
    grid = np.linspace(0, 1, 101)
    ends = 1 / 602
    isotonic = IsotonicRegression(y_min=ends, y_max=1 - ends, out_of_bounds="clip").fit(stated, np.array(right, float))
    applied = calibration(method="isotonic", points=fit_calibration(stated, right, Method.isotonic).points)
    assert [applied.of(value) for value in grid] == pytest.approx(isotonic.predict(grid).tolist(), abs=1e-6)
    odds = np.array([[log_odds(value)] for value in stated])
    smoothed = np.where(right, (sum(right) + 1) / (sum(right) + 2), 1 / (600 - sum(right) + 2))  # Platt's own targets
    weights = np.concatenate([smoothed, 1 - smoothed])
    platt = LogisticRegression(C=1e4, max_iter=1000).fit(np.vstack([odds, odds]), [1] * 600 + [0] * 600, weights)
    fit = fit_calibration(stated, right, Method.platt)
    sigmoid = calibration(slope=fit.slope, intercept=fit.intercept, ends=fit.ends)
    expected = platt.predict_proba(np.array([[log_odds(value)] for value in grid]))[:, 1].clip(ends, 1 - ends)
    assert [sigmoid.of(value) for value in grid] == pytest.approx(expected.tolist(), abs=1e-6)


def test_the_method_is_chosen_by_held_out_loss_and_helps() -> None:
    fit = fit_calibration(*overconfident(600))
    assert fit.chosen == "platt", "the simpler method, unless the other is better by a standard error"
    assert fit.held_out[fit.chosen].log_loss < fit.raw.log_loss
    assert fit.held_out[fit.chosen].reliability.ece < fit.raw.reliability.ece / 2


def test_well_calibrated_confidences_are_left_alone() -> None:
    random = np.random.default_rng(1)
    stated = random.uniform(0.02, 0.98, 3000)
    fit = fit_calibration(stated.tolist(), (random.random(3000) < stated).tolist())
    assert fit.chosen is None


def test_inverted_confidences_are_flattened_but_not_reversed() -> None:
    stated, right = overconfident(600)
    fit = fit_calibration(stated, [not value for value in right], Method.platt)
    assert fit.slope == pytest.approx(0, abs=1e-6)
    level = calibration(slope=fit.slope, intercept=fit.intercept)
    assert level.of(0.1) == pytest.approx(level.of(0.9)) == pytest.approx(1 - sum(right) / 600, abs=1e-6)


def test_too_few_right_or_wrong_rows_are_refused() -> None:
    with pytest.raises(UsageError, match="95 right and 5 wrong; at least 10 of each are needed"):
        fit_calibration([0.9] * 100, [True] * 95 + [False] * 5)


SHARES = st.floats(0, 1)


@given(
    st.lists(st.tuples(SHARES, SHARES), min_size=1, max_size=8, unique_by=lambda point: point[0]),
    st.floats(0, 5), st.floats(-5, 5), SHARES, SHARES,
)  # fmt: skip
def test_a_calibration_is_monotone_and_stays_in_bounds(
    points: list[tuple[float, float]], slope: float, intercept: float, one: float, other: float
) -> None:
    xs, ys = sorted(x for x, _ in points), sorted(y for _, y in points)
    for mapping in (
        calibration(method="isotonic", points=tuple(zip(xs, ys, strict=True))),
        calibration(slope=slope, intercept=intercept),
    ):
        low, high = mapping.of(min(one, other)), mapping.of(max(one, other))
        assert 0 <= low <= high <= 1


def test_a_calibration_applies_only_to_its_own_prompt_model_and_kind() -> None:
    applied = calibration()
    fitting: dict[str, Any] = {"prompt": "p", "model": "m", "kind": ConfidenceKind.reported, "offline": False}
    assert fitting_calibration([applied], **fitting) is applied
    for change in ({"prompt": "q"}, {"model": "n"}, {"kind": ConfidenceKind.logprobs}, {"offline": True}):
        assert fitting_calibration([applied], **{**fitting, **change}) is None


def test_a_file_keeps_one_calibration_for_each_subject(tmp_path: Path) -> None:
    path = tmp_path / "task.calibration.json"
    assert load_calibrations(path) == CalibrationFile()
    for one in (calibration(), calibration(model="n"), calibration(rows=200)):
        save_calibration(path, one)
    assert [(one.model, one.rows) for one in load_calibrations(path).calibrations] == [("n", 100), ("m", 200)]
    path.write_text('{"calibrations": [{"prompt": 3}]}')
    with pytest.raises(UsageError, match=r"calibrations\.0\.prompt"):
        load_calibrations(path)


def test_the_calibration_file_is_next_to_the_task_file(tmp_path: Path) -> None:
    (tmp_path / "mail.toml").touch()
    assert calibration_path(str(tmp_path / "mail.toml")) == tmp_path / "mail.calibration.json"
    assert (calibration_path("ag_news"), calibration_path(None)) == (
        Path("ag_news.calibration.json"),
        Path("default.calibration.json"),
    )
    with pytest.raises(UsageError, match="no task file"):
        calibration_path("gone.toml")


def test_runs_apply_a_calibration_without_the_libraries() -> None:
    code = "import sys, llmbatch.session.run; sys.exit(any(m in sys.modules for m in ('numpy', 'sklearn', 'scipy')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_missing_log_probabilities_fall_back_to_the_stated_confidence() -> None:
    plan = make_plan(load_task(None), ModelChoice(confidence=ConfidenceKind.logprobs), offline=True)
    answer = Answer("legal", 0.7, None, repaired=False)
    completion = Completion('{"category":"legal"}', None, "stop", False, None, None, None, None)
    fitted = calibration(prompt=plan.prompt, model=plan.question.model, offline=True, slope=2.0)
    score = Scorer(plan, [fitted]).score(answer, completion)
    assert (score.kind, score.raw, score.flags) == (ConfidenceKind.reported, 0.7, ("logprobs_missing",))
    assert score.confidence == fitted.of(0.7), "a calibration of stated confidences applies"


def test_a_line_is_read_with_the_runs_current_calibration() -> None:
    line = LedgerLine(
        row=0,
        id="a",
        key="0" * 32,
        status="ok",
        prompt="p",
        model="m",
        started_at="now",
        category="x",
        confidence=0.2,
        confidence_raw=0.9,
    )
    fitted = calibration(slope=0.5)
    assert Recalibration([fitted], offline=False)(line).confidence == fitted.of(0.9)
    assert Recalibration([], offline=False)(line).confidence == 0.9
    assert Recalibration([calibration(model="n", slope=0.5)], offline=False)(line).confidence == 0.9
