"""Accuracy and related metrics for labelled rows; failed rows are reflected in the coverage."""

from collections import Counter
from collections.abc import Container, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from llmbatch.stats.intervals import effective_rows, wilson


@dataclass(frozen=True, slots=True)
class Proportion:
    """A share of rows, with Wilson's score interval (1927) at 95%. All None if there are no rows.

    The interval's width accounts for repeated texts: rows with the same text are right or wrong together.
    """

    count: int
    total: int
    value: float | None
    low: float | None
    high: float | None
    texts: int = 0
    """Distinct texts among the rows."""


@dataclass(frozen=True, slots=True)
class LabelScore:
    """Scores of one label. `precision` is None if it was never given, `recall` if gold has no such row.

    Rows whose gold label is not in the task but that got this label count against its precision.
    """

    label: str
    gold: int
    given: int
    right: int
    precision: float | None
    recall: float | None
    f1: float


@dataclass(frozen=True, slots=True)
class Average:
    """Precision, recall and F1 over labels; undefined figures count as 0."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, slots=True)
class Scores:
    """The quality of the labels."""

    accuracy: Proportion
    """Among labelled rows; rows whose gold label is not in the task count as wrong."""
    accuracy_of_task_labels: Proportion
    """Among labelled rows whose gold label is in the task, which the model could get right."""
    accuracy_of_all: Proportion
    """Among all rows with gold; rows without a label count as wrong."""
    unanswerable: int
    """Rows whose gold label is not in the task."""
    coverage: Proportion
    """Share of the gold rows that have a label."""
    kappa: float | None
    """Cohen's kappa (1960), agreement beyond chance. None if only one label occurs."""
    macro: Average
    """Macro average over the labels that occur in gold or answers."""
    weighted: Average
    """The same, weighted by gold rows."""
    labels: tuple[LabelScore, ...]
    """The labels that occur, in the task's order."""
    matrix: tuple[tuple[int, ...], ...]
    """Rows: gold; columns: answers; both in the order of `labels`."""


def proportion(count: int, total: int, texts: Sequence[Hashable] | None = None) -> Proportion:
    """A share with its interval; `texts` identifies each row's text, if texts may repeat."""
    if not total:
        return Proportion(count, total, None, None, None)
    low, high = wilson(count / total, total if texts is None else effective_rows(texts))
    return Proportion(count, total, count / total, low, high, total if texts is None else len(set(texts)))


def score(
    gold: Sequence[str],
    answers: Sequence[str | None],
    labels: Sequence[str],
    texts: Sequence[Hashable] | None = None,
    *,
    known: Container[str] | None = None,
) -> Scores:
    """Score answers against gold labels.

    Args:
        gold: gold labels, one per row.
        answers: answers, one per row; None for a row without a label.
        labels: the task's labels, in order. A row whose gold label is not among them counts as wrong.
        texts: text identifiers, one per row, equal for equal texts; None if all differ.
        known: all possible values of the task, if there are more than `labels`.
    """
    texts = range(len(gold)) if texts is None else texts
    rows = list(zip(gold, answers, texts, strict=True))
    labelled = [(truth, answer) for truth, answer, _ in rows if answer is not None]
    labelled_texts = [text for _, answer, text in rows if answer is not None]
    occurring, known = {label for pair in labelled for label in pair}, set(labels) if known is None else known
    shown = [label for label in labels if label in occurring]
    right = sum(truth == answer for truth, answer in labelled)
    answerable = [text for truth, answer, text in rows if answer is not None and truth in known]
    per_label, macro, weighted, matrix = _by_label(labelled, shown)
    return Scores(
        accuracy=proportion(right, len(labelled), labelled_texts),
        accuracy_of_task_labels=proportion(right, len(answerable), answerable),
        accuracy_of_all=proportion(right, len(gold), texts),
        unanswerable=sum(truth not in known for truth in gold),
        coverage=proportion(len(labelled), len(gold), texts),
        kappa=kappa([truth for truth, _ in labelled], [answer for _, answer in labelled]),
        macro=macro,
        weighted=weighted,
        labels=per_label,
        matrix=matrix,
    )


def kappa(one: Sequence[str], other: Sequence[str]) -> float | None:
    """Cohen's kappa of two labellings of the same rows; None if no more than one label occurs."""
    from sklearn.metrics import cohen_kappa_score  # noqa: PLC0415

    return float(cohen_kappa_score(one, other)) if len({*one, *other}) > 1 else None


def _by_label(
    labelled: Sequence[tuple[str, str]], shown: Sequence[str]
) -> tuple[tuple[LabelScore, ...], Average, Average, tuple[tuple[int, ...], ...]]:
    from sklearn.metrics import precision_recall_fscore_support  # noqa: PLC0415

    if not shown:
        return (), Average(0, 0, 0), Average(0, 0, 0), ()
    gold, answers = zip(*labelled, strict=True)

    def scored(average: str | None) -> tuple[Any, ...]:
        return tuple(
            precision_recall_fscore_support(gold, answers, labels=list(shown), average=average, zero_division=0)
        )

    counts = Counter(labelled)
    matrix = tuple(tuple(counts[truth, answer] for answer in shown) for truth in shown)
    precisions, recalls, f1s, _ = scored(None)
    answered = Counter(answers)
    given = [answered[label] for label in shown]
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
