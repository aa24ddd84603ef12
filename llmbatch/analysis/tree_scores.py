"""Scores for nested labels: by level, with partial credit, and by branch."""

from collections import Counter
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass
from itertools import product

from llmbatch.analysis.metrics import Average, Proportion, proportion
from llmbatch.task.tree import LabelTree


@dataclass(frozen=True, slots=True)
class LevelScore:
    """Scores at one level of the tree."""

    level: int
    """The level; 1 is the top."""
    labels: int
    """Labels at this level."""
    accuracy: Proportion
    """Rows with the right labels at this level, among rows whose gold labels reach it."""


@dataclass(frozen=True, slots=True)
class BranchConfusion:
    """Rows of one branch answered with a label from another; branches are the top-level labels."""

    gold: str
    answer: str
    count: int
    share: float
    """Share of the branch's gold rows."""


@dataclass(frozen=True, slots=True)
class TreeScores:
    """Scores of answers in a tree of labels."""

    levels: tuple[LevelScore, ...]
    partial: Average
    """Hierarchical precision, recall and F1: each label counts together with its ancestors, so that a sibling is less
    wrong than an unrelated label (Kiritchenko, Matwin, Nock and Famili, 2006)."""
    wrong: int
    wrong_within_branch: int
    """Wrong answers that are in the right branch."""
    branches: tuple[BranchConfusion, ...]
    """The most common branch confusions."""


_MOST_BRANCHES = 10


def tree_scores(
    gold: Sequence[Collection[str]], answers: Sequence[Collection[str]], tree: LabelTree, texts: Sequence[Hashable]
) -> TreeScores | None:
    """Score answers by a tree; None if the tree is flat or there are no rows.

    Args:
        gold: the gold labels of each row: one, or any number of a multi-label field.
        answers: likewise.
        tree: the tree of labels.
        texts: text identifiers, one per row, equal for equal texts.
    """
    if tree.is_flat or not gold:
        return None
    rows = [(_paths(truth, tree), _paths(answer, tree)) for truth, answer in zip(gold, answers, strict=True)]
    wrong = [(truth, answer) for truth, answer in rows if truth != answer]
    return TreeScores(
        levels=tuple(_level(level, rows, tree, texts) for level in range(1, tree.depth + 1)),
        partial=_partial(rows),
        wrong=len(wrong),
        wrong_within_branch=sum(_at(1, truth) == _at(1, answer) for truth, answer in wrong),
        branches=_branches(rows),
    )


_Paths = frozenset[tuple[str, ...]]


def _paths(names: Collection[str], tree: LabelTree) -> _Paths:
    return frozenset(map(tree.path, names))


def _at(level: int, paths: _Paths) -> _Paths:
    """The labels at a level that are, or are above, the labels at the end of some paths."""
    return frozenset(path[:level] for path in paths if len(path) >= level)


def _level(level: int, rows: Sequence[tuple[_Paths, _Paths]], tree: LabelTree, texts: Sequence[Hashable]) -> LevelScore:
    found = [(_at(level, truth), _at(level, answer), text) for (truth, answer), text in zip(rows, texts, strict=True)]
    deep = [(truth == answer, text) for truth, answer, text in found if truth]
    right = sum(is_right for is_right, _ in deep)
    return LevelScore(level, tree.count(level), proportion(right, len(deep), [text for _, text in deep]))


def _partial(rows: Sequence[tuple[_Paths, _Paths]]) -> Average:
    with_groups = [(_with_ancestors(truth), _with_ancestors(answer)) for truth, answer in rows]
    shared = sum(len(truth & answer) for truth, answer in with_groups)
    answered, wanted = (sum(len(row[side]) for row in with_groups) for side in (1, 0))
    precision, recall = shared / answered if answered else 0.0, shared / wanted if wanted else 0.0
    return Average(precision, recall, 2 * precision * recall / (precision + recall) if shared else 0.0)


def _with_ancestors(paths: _Paths) -> frozenset[str]:
    return frozenset(name for path in paths for name in path)


def _branches(rows: Sequence[tuple[_Paths, _Paths]]) -> tuple[BranchConfusion, ...]:
    tops = [({path[0] for path in truth}, {path[0] for path in answer}) for truth, answer in rows]
    totals = Counter(branch for truth, _ in tops for branch in truth)
    astray = Counter(pair for truth, answer in tops for pair in product(truth - answer, answer - truth))
    return tuple(
        BranchConfusion(gold, answer, count, count / totals[gold])
        for (gold, answer), count in sorted(astray.items(), key=lambda one: (-one[1], one[0]))[:_MOST_BRANCHES]
    )
