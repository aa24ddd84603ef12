"""One evaluation: every figure about a run's labels, and the same as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from llmbatch.evaluate.confusion import Confusion, confusions
from llmbatch.evaluate.gold import GoldIssues, gold_issues_told
from llmbatch.evaluate.metrics import Scores, score
from llmbatch.evaluate.pairs import Judged
from llmbatch.evaluate.reliability import Reliability, reliability
from llmbatch.evaluate.thresholds import Thresholds, thresholds

_UNLIKE = 0.001
"""Under this p-value the gold rows are said not to be a random sample of the run."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The run that is evaluated."""

    folder: str
    task: str
    labels: tuple[str, ...]
    model: str
    prompt: str
    offline: bool
    review_below: float
    rows: int
    reviewed: int = 0
    """Rows whose label in the results is a person's. What is judged is the model's answer about them, too."""
    judges: str = "model"
    """Whose labels are judged."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What is known of a run's labels."""

    subject: Subject
    gold_file: str
    gold_rows: int
    matched: int
    """Rows of the run that have a gold label."""
    scores: Scores
    confusions: tuple[Confusion, ...]
    reliability: Reliability | None
    thresholds: Thresholds
    issues: GoldIssues
    notes: tuple[str, ...]
    """What a person should know before believing the figures, each in a sentence."""


def evaluate(judged: Judged, subject: Subject, *, wanted: float, notes: Sequence[str] = ()) -> Evaluation:
    """Work out every figure.

    Args:
        judged: the run's rows with their gold labels.
        subject: the run.
        wanted: precision that is wanted of what passes review.
        notes: what the caller knows besides.
    """
    labelled = judged.labelled
    confidences = [pair.confidence or 0.0 for pair in labelled]
    right = [pair.is_right for pair in labelled]
    return Evaluation(
        subject=subject,
        gold_file=judged.gold.file,
        gold_rows=judged.gold.rows,
        matched=len(judged.pairs),
        scores=score([pair.gold for pair in judged.pairs], [pair.answer for pair in judged.pairs], subject.labels),
        confusions=confusions(judged.pairs, review_below=subject.review_below),
        reliability=reliability(confidences, right),
        thresholds=thresholds(confidences, right, judged.run_confidences, wanted=wanted),
        issues=judged.gold.issues,
        notes=tuple(_notes(judged, confidences)) + tuple(notes),
    )


def evaluation_json(evaluation: Evaluation) -> dict[str, Any]:
    """The evaluation as `--json` prints it: stable names, shares in 0..1, null where a figure is undefined."""
    scores, calibration = evaluation.scores, evaluation.reliability
    return {
        **_subject(evaluation),
        "accuracy": asdict(scores.accuracy),
        "accuracy_of_all": asdict(scores.accuracy_of_all),
        "coverage": asdict(scores.coverage),
        "kappa": scores.kappa,
        "macro": asdict(scores.macro),
        "weighted": asdict(scores.weighted),
        "labels": [asdict(label) for label in scores.labels],
        "confusion_matrix": {
            "labels": [label.label for label in scores.labels],
            "gold_by_answer": [list(row) for row in scores.matrix],
        },
        "confusions": [_confusion(confusion) for confusion in evaluation.confusions],
        "reliability": None if calibration is None else asdict(calibration),
        "thresholds": asdict(evaluation.thresholds),
        "issues": asdict(evaluation.issues),
        "notes": list(evaluation.notes),
    }


def _subject(evaluation: Evaluation) -> dict[str, Any]:
    subject = asdict(evaluation.subject)
    subject.pop("labels")
    gold: Mapping[str, Any] = {
        "gold_file": evaluation.gold_file,
        "gold_rows": evaluation.gold_rows,
        "matched": evaluation.matched,
    }
    return {**subject, **gold}


def _confusion(confusion: Confusion) -> dict[str, Any]:
    examples = [
        {"row": pair.row, "id": pair.id, "confidence": pair.confidence, "text": pair.text}
        for pair in confusion.examples
    ]
    return {**asdict(confusion), "examples": examples}


def _notes(judged: Judged, confidences: Sequence[float]) -> list[str]:
    notes = list(gold_issues_told(judged.gold.issues))
    if judged.unmatched_count:
        first = ", ".join(judged.unmatched)
        notes.append(f"gold rows that are not in the run: {judged.unmatched_count:,} (first: {first})")
    if judged.same_id_rows:
        notes.append(
            f"rows of the run that share their id with an earlier one, and so its gold label: {judged.same_id_rows:,}"
        )
    if judged.gold.by_row:
        notes.append(f"{judged.gold.file} has no ids: its rows were taken for the run's in their order")
    if unlike := _unlike(confidences, judged.run_confidences):
        notes.append(unlike)
    return notes


def _unlike(gold: Sequence[float], run: Sequence[float]) -> str | None:
    """Whether the gold rows' confidences look like a random sample of the run's (Kolmogorov-Smirnov)."""
    from scipy.stats import ks_2samp  # noqa: PLC0415 - an extra, and slow to import

    if not gold or len(gold) == len(run) or ks_2samp(gold, run, method="asymp").pvalue >= _UNLIKE:
        return None
    return (
        "the gold rows are not like the run's rows (their confidences differ): "
        "the figures hold for rows like the gold ones, and a threshold by them may not keep its word"
    )
