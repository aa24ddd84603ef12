"""Scores each field's values, for tasks that take more than one label."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from llmbatch.analysis.metrics import Average, LabelScore, Proportion, Scores, proportion, score
from llmbatch.analysis.tree_scores import TreeScores, tree_scores
from llmbatch.task.fields import FieldKind
from llmbatch.task.kinds import names_in
from llmbatch.task.label_space import LabelSpace


@dataclass(frozen=True, slots=True)
class SeveralScores:
    """Scores of a multi-label field: each label is a separate yes or no.

    The averages are scikit-learn's: `micro` over all decisions, `macro` over labels, `samples` over rows; a row whose
    gold and answer have no label counts as right there.
    """

    micro: Average
    macro: Average
    samples: Average
    jaccard: float
    """Jaccard index of gold and given labels, the mean over rows."""
    labels: tuple[LabelScore, ...]
    together: tuple[tuple[str, str, int, int], ...]
    """Pairs of labels, the most common first: how many gold rows and how many answers contain both."""


@dataclass(frozen=True, slots=True)
class FieldScores:
    """Scores of one field. `one` is for a single-value field, `several` for a multi-label field."""

    field: str
    kind: str
    exact: Proportion
    """Rows whose value of the field is exactly right."""
    one: Scores | None = None
    several: SeveralScores | None = None
    tree: TreeScores | None = None
    """Scores by tree level, for a field with nested labels."""
    mean_error: float | None = None
    """For a number: the mean distance from gold."""


_MOST_PAIRS = 10


def field_scores(
    gold: Sequence[str], answers: Sequence[str], space: LabelSpace, texts: Sequence[Hashable]
) -> tuple[FieldScores, ...]:
    """Score each field of a task separately; empty if the task takes one label.

    Args:
        gold: canonical values of the task, one per row.
        answers: likewise.
        space: the task's label space.
        texts: text identifiers, one per row, equal for equal texts.
    """
    if space.takes_one_label or not gold:
        return ()
    truths, given = [space.cells_of(text) for text in gold], [space.cells_of(text) for text in answers]
    scores = []
    for field in space.fields:
        truth = [str(row[field.name]) for row in truths]
        answer = [str(row[field.name]) for row in given]
        right = sum(one == other for one, other in zip(truth, answer, strict=True))
        exact = proportion(right, len(truth), texts)
        names = [label.name for label in field.answers]
        match field.kind:
            case FieldKind.multi:
                gold_sets, given_sets = _sets(truth), _sets(answer)
                several = _several(gold_sets, given_sets, names)
                tree = tree_scores(gold_sets, given_sets, field.tree, texts)
                scores.append(FieldScores(field.name, field.kind.value, exact, several=several, tree=tree))
            case FieldKind.number:
                distances = [abs(float(one) - float(other)) for one, other in zip(truth, answer, strict=True)]
                error = sum(distances) / len(distances)
                scores.append(FieldScores(field.name, field.kind.value, exact, mean_error=error))
            case _:
                shown = names or ["yes", "no"]
                one = score(truth, answer, shown, texts)
                tree = tree_scores([[name] for name in truth], [[name] for name in answer], field.tree, texts)
                scores.append(FieldScores(field.name, field.kind.value, exact, one=one, tree=tree))
    return tuple(scores)


_LabelSets = Sequence[frozenset[str]]


def _sets(texts: Sequence[str]) -> _LabelSets:
    return [frozenset(names_in(text)) for text in texts]


def _several(gold: _LabelSets, answers: _LabelSets, names: Sequence[str]) -> SeveralScores:
    from sklearn.metrics import jaccard_score, precision_recall_fscore_support  # noqa: PLC0415 - an extra

    truth, given = _indicators(gold, names), _indicators(answers, names)

    def averaged(average: str) -> Average:
        # A row without labels on both sides agrees: only there does 0/0 count as a success.
        undefined = 1.0 if average == "samples" else 0.0
        found: Any = precision_recall_fscore_support(truth, given, average=average, zero_division=undefined)
        return Average(*(float(value) for value in found[:3]))

    precisions, recalls, f1s, support = precision_recall_fscore_support(truth, given, average=None, zero_division=0)
    labels = []
    for n, name in enumerate(names):
        of_answers = sum(row[n] for row in given)
        right = sum(row[n] and other[n] for row, other in zip(truth, given, strict=True))
        labels.append(
            LabelScore(
                label=name,
                gold=int(support[n]),
                given=of_answers,
                right=right,
                precision=float(precisions[n]) if of_answers else None,
                recall=float(recalls[n]) if support[n] else None,
                f1=float(f1s[n]),
            )
        )
    return SeveralScores(
        micro=averaged("micro"),
        macro=averaged("macro"),
        samples=averaged("samples"),
        jaccard=float(jaccard_score(truth, given, average="samples", zero_division=1.0)),
        labels=tuple(label for label in labels if label.gold or label.given),
        together=_together(truth, given, names),
    )


def _indicators(rows: _LabelSets, names: Sequence[str]) -> list[list[int]]:
    return [[int(name in row) for name in names] for row in rows]


def _together(
    truth: Sequence[Sequence[int]], given: Sequence[Sequence[int]], names: Sequence[str]
) -> tuple[tuple[str, str, int, int], ...]:
    pairs = []
    for n, one in enumerate(names):
        for m in range(n + 1, len(names)):
            of_gold, of_given = (sum(row[n] and row[m] for row in rows) for rows in (truth, given))
            if of_gold or of_given:
                pairs.append((one, names[m], of_gold, of_given))
    return tuple(sorted(pairs, key=lambda pair: (-max(pair[2:]), pair[:2]))[:_MOST_PAIRS])
