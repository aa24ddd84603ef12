"""Accuracy and its relatives, for labelled rows; failed ones show in the coverage."""

from collections import Counter
from collections.abc import Container, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from llmbatch.stats.intervals import effective_rows, wilson


@dataclass(frozen=True, slots=True)
class Proportion:
    """A share of rows, with Wilson's score interval (1927) at 95%. All None where there are no rows.

    The interval is as wide as the distinct texts ask for: rows with one text are right or wrong together.
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
    """How one label fares. `precision` is None where it was never given, `recall` where gold has no such row.

    It is also given to rows whose gold label is not the task's, which counts against its precision.
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
    """Precision, recall and F1 over labels; what is undefined for a label counts as 0."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, slots=True)
class Scores:
    """What the labels are worth."""

    accuracy: Proportion
    """Of the rows that have a label; one whose gold label is not the task's counts as wrong."""
    accuracy_of_task_labels: Proportion
    """Of the rows that have a label and whose gold label is the task's: what the model could get right."""
    accuracy_of_all: Proportion
    """Of all rows with gold: a row without a label counts as wrong."""
    unanswerable: int
    """Rows whose gold label is not the task's."""
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


def proportion(count: int, total: int, texts: Sequence[Hashable] | None = None) -> Proportion:
    """A share with its interval; `texts` gives each row's text, where rows may have the same."""
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
        gold: one a row.
        answers: one a row; None where it has no label.
        labels: the task's, in its order. A row whose gold label is none of them counts as wrong.
        texts: what rows with the same text have in common, one a row; None where all differ.
        known: all values that the task can give, where they are more than `labels`.
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
    """Cohen's kappa of two labellings of the same rows; None where only one label occurs, or none."""
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
