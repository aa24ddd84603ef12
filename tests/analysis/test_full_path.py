"""The whole workflow on real data: classify, evaluate, calibrate, classify with the new threshold, evaluate again.

Every figure is recomputed by libraries that llmbatch does not use, or by hand.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from statsmodels.stats.inter_rater import cohens_kappa
from statsmodels.stats.proportion import proportion_confint

from llmbatch.analysis.calibrate_run import calibrate_run
from llmbatch.analysis.evaluation import Evaluation
from llmbatch.analysis.fit import Method
from llmbatch.analysis.gold import GoldOptions
from llmbatch.analysis.run_evaluation import evaluate_run
from llmbatch.core.rows import ConfidenceKind
from llmbatch.engine.plan import ModelChoice
from tests.analysis.conftest import Classify, Served, rows_of, write_jsonl
from tests.ledgers import ledger_rows

WANTED = 0.8


def answers(run: Path) -> dict[str, dict[str, Any]]:
    """The rows of the run's result files, by id."""
    views = (run / f"{name}.jsonl" for name in ("results", "review"))
    return {row["id"]: row for view in views for row in map(json.loads, view.read_text().splitlines())}


def check_against_references(evaluation: Evaluation, run: Path, gold: dict[str, str]) -> None:
    answered = answers(run)
    right = np.array([answered[row]["category"] == label for row, label in gold.items()])
    confidence = np.array([answered[row]["confidence"] for row in gold])
    accuracy = evaluation.scores.accuracy
    assert (accuracy.count, accuracy.total) == (right.sum(), len(right))
    assert [accuracy.low, accuracy.high] == pytest.approx(proportion_confint(right.sum(), len(right), method="wilson"))
    labels = sorted({*gold.values(), *(row["category"] for row in answered.values())})
    table = np.zeros((len(labels), len(labels)))
    for row, label in gold.items():
        table[labels.index(label), labels.index(answered[row]["category"])] += 1
    assert evaluation.scores.kappa == pytest.approx(cohens_kappa(table).kappa)
    precision = np.divide(table.diagonal(), table.sum(0), out=np.zeros(len(labels)), where=table.sum(0) > 0)
    recall = np.divide(table.diagonal(), table.sum(1), out=np.zeros(len(labels)), where=table.sum(1) > 0)
    both = precision + recall
    f1 = np.divide(2 * precision * recall, both, out=np.zeros(len(labels)), where=both > 0)
    assert evaluation.scores.macro.f1 == pytest.approx(f1.mean())
    assert evaluation.scores.weighted.f1 == pytest.approx(np.average(f1, weights=table.sum(1)))
    assert evaluation.reliability is not None
    assert evaluation.reliability.brier == pytest.approx(((confidence - right) ** 2).mean())
    bins = np.minimum((confidence * 10 + 1e-9).astype(int), 9)
    gaps = [abs((right - confidence)[bins == n].mean()) * (bins == n).mean() for n in range(10) if (bins == n).any()]
    assert evaluation.reliability.ece == pytest.approx(sum(gaps))
    for at in evaluation.thresholds.rows:
        passed = confidence >= at.threshold
        assert (at.passed, at.right) == (passed.sum(), right[passed].sum())


@pytest.mark.parametrize(
    ("task", "kind", "method"),
    [
        ("ag_news", ConfidenceKind.reported, Method.platt),
        ("banking77", ConfidenceKind.logprobs, Method.auto),
        ("sib200", ConfidenceKind.logprobs, Method.auto),
    ],
)
def test_classify_evaluate_calibrate_and_again(
    task: str,
    kind: ConfidenceKind,
    method: Method,
    classify: Classify,
    served: Served,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)  # a packaged task's calibration is written to the current folder
    rows, choice, run = rows_of(task), ModelChoice(confidence=kind), tmp_path / "run"
    before = served.requests
    classify(rows, task, choice=choice)
    assert {line.get("confidence_from", "reported") for line in ledger(run)} == {kind.value}
    sent = served.requests - before
    gold = {row["id"]: row["gold"] for row in rows}
    options = GoldOptions(str(write_jsonl(tmp_path / "gold.jsonl", [{"id": i, "label": x} for i, x in gold.items()])))
    first = evaluate_run(run, options, wanted=WANTED)
    check_against_references(first, run, gold)

    raw = {i: row["confidence"] for i, row in answers(run).items()}
    calibrated = calibrate_run(run, options, method=method, out=None)
    assert calibrated.kind is kind
    assert calibrated.file is not None
    assert calibrated.file.resolve() == tmp_path / f"{task}.calibration.json"

    second = evaluate_run(run, options, wanted=WANTED)
    assert second.reliability == first.reliability, "a run keeps its original confidences"
    below = second.thresholds.recommended
    threshold = 0.5 if below is None else below.threshold
    summary = classify(rows, task, choice=choice, review_below=threshold)
    assert served.requests - before == sent, "a new calibration sends no requests"
    again = evaluate_run(run, options, wanted=WANTED)
    check_against_references(again, run, gold)
    assert again.reliability is not None
    assert first.reliability is not None
    assert again.reliability.brier <= first.reliability.brier
    assert again.scores == first.scores
    assert any("calibrated on this same gold file" in note for note in again.notes)
    assert summary.rows.review == sum(row["confidence"] < threshold for row in answers(run).values())
    assert {i: row["confidence"] for i, row in answers(run).items()} != raw

    classify([{**rows[0], "text": "Yet another text."}, *rows], task, choice=choice, review_below=threshold)
    newest = ledger(run)[-1]
    assert newest["confidence"] != newest["confidence_raw"], "the ledger stores both"


def ledger(run: Path) -> list[dict[str, Any]]:
    return ledger_rows(run / "ledger.jsonl")
