"""Accuracy and its relatives, for labelled rows; failed ones show in the coverage."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

CONFIDENCE_LEVEL = 0.95
"""Of all intervals."""


@dataclass(frozen=True, slots=True)
class Proportion:
    """A share of rows, with the Wilson score interval at 95% (Wilson, 1927). All None where there are no rows."""

    count: int
    total: int
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class LabelScore:
    """How one label fares. `precision` is None where it was never given, `recall` where gold has no such row."""

    label: str
    gold: int
    given: int
    right: int
    precision: float | None
    recall: float | None
    f1: float


@dataclass(frozen=True, slots=True)
class Average:
    """Precision, recall and F1 over labels; what is undefined for a label counts as 0."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, slots=True)
class Scores:
    """What the labels are worth."""

    accuracy: Proportion
    """Of the rows that have a label."""
    accuracy_of_all: Proportion
    """Of all rows with gold: a row without a label counts as wrong."""
    coverage: Proportion
    """Rows with a label, of those with gold."""
    kappa: float | None
    """Cohen's (1960): agreement beyond chance. None where only one label occurs."""
    macro: Average
    """Over the labels that occur in gold or answers, each counting the same."""
    weighted: Average
    """The same, each by its gold rows."""
    labels: tuple[LabelScore, ...]
    """Those that occur, in the task's order."""
    matrix: tuple[tuple[int, ...], ...]
    """Rows: gold; columns: answers; both in the order of `labels`."""


def proportion(count: int, total: int) -> Proportion:
    """A share with its interval."""
    from scipy.stats import binomtest  # noqa: PLC0415 - an extra, and slow to import

    if not total:
        return Proportion(count, total, None, None, None)
    interval = binomtest(count, total).proportion_ci(CONFIDENCE_LEVEL, method="wilson")
    return Proportion(count, total, count / total, float(interval.low), float(interval.high))


def score(gold: Sequence[str], answers: Sequence[str | None], labels: Sequence[str]) -> Scores:
    """Score answers against gold labels.

    Args:
        gold: one a row.
        answers: one a row; None where it has no label.
        labels: the task's, in its order.
    """
    labelled = [(truth, answer) for truth, answer in zip(gold, answers, strict=True) if answer is not None]
    occurring = {label for pair in labelled for label in pair}
    shown = [label for label in labels if label in occurring]
    right = sum(truth == answer for truth, answer in labelled)
    per_label, macro, weighted, matrix = _by_label(labelled, shown)
    return Scores(
        accuracy=proportion(right, len(labelled)),
        accuracy_of_all=proportion(right, len(gold)),
        coverage=proportion(len(labelled), len(gold)),
        kappa=kappa([truth for truth, _ in labelled], [answer for _, answer in labelled]),
        macro=macro,
        weighted=weighted,
        labels=per_label,
        matrix=matrix,
    )


def kappa(one: Sequence[str], other: Sequence[str]) -> float | None:
    """Cohen's kappa of two labellings of the same rows; None where only one label occurs, or none."""
    from sklearn.metrics import cohen_kappa_score  # noqa: PLC0415

    return float(cohen_kappa_score(one, other)) if len({*one, *other}) > 1 else None


def _by_label(
    labelled: Sequence[tuple[str, str]], shown: Sequence[str]
) -> tuple[tuple[LabelScore, ...], Average, Average, tuple[tuple[int, ...], ...]]:
    from sklearn.metrics import precision_recall_fscore_support  # noqa: PLC0415

    if not labelled:
        return (), Average(0, 0, 0), Average(0, 0, 0), ()
    gold, answers = zip(*labelled, strict=True)

    def scored(average: str | None) -> tuple[Any, ...]:
        return tuple(
            precision_recall_fscore_support(gold, answers, labels=list(shown), average=average, zero_division=0)
        )

    counts = Counter(labelled)
    matrix = tuple(tuple(counts[truth, answer] for answer in shown) for truth in shown)
    precisions, recalls, f1s, _ = scored(None)
    given = [sum(column) for column in zip(*matrix, strict=True)]
    scores = tuple(
        LabelScore(
            label=label,
            gold=sum(matrix[n]),
            given=given[n],
            right=matrix[n][n],
            precision=float(precisions[n]) if given[n] else None,
            recall=float(recalls[n]) if any(matrix[n]) else None,
            f1=float(f1s[n]),
        )
        for n, label in enumerate(shown)
    )
    averages = [Average(*(float(value) for value in scored(name)[:3])) for name in ("macro", "weighted")]
    return scores, averages[0], averages[1], matrix
