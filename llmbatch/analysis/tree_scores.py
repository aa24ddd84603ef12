"""Scores for nested labels: by level, with partial credit, and by branch."""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

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
    """Rows with the right label at this level, among rows whose gold label is at this level or deeper."""


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
    """Share of wrong answers that are in the right branch."""
    branches: tuple[BranchConfusion, ...]
    """The most common branch confusions."""


_MOST_BRANCHES = 10


def tree_scores(
    gold: Sequence[str], answers: Sequence[str], tree: LabelTree, texts: Sequence[Hashable]
) -> TreeScores | None:
    """Score answers by a tree; None if the tree is flat or there are no rows.

    Args:
        gold: gold labels, one per row.
        answers: likewise.
        tree: the tree of labels.
        texts: text identifiers, one per row, equal for equal texts.
    """
    if tree.is_flat or not gold:
        return None
    rows = [(tree.path(truth), tree.path(answer)) for truth, answer in zip(gold, answers, strict=True)]
    return TreeScores(
        levels=tuple(_level(level, rows, tree, texts) for level in range(1, tree.depth + 1)),
        partial=_partial(rows),
        wrong=sum(truth != answer for truth, answer in rows),
        wrong_within_branch=sum(truth != answer and truth[0] == answer[0] for truth, answer in rows),
        branches=_branches(rows),
    )


_Path = tuple[str, ...]


def _level(level: int, rows: Sequence[tuple[_Path, _Path]], tree: LabelTree, texts: Sequence[Hashable]) -> LevelScore:
    deep = [(truth, answer, text) for (truth, answer), text in zip(rows, texts, strict=True) if len(truth) >= level]
    right = sum(truth[:level] == answer[:level] for truth, answer, _ in deep)
    return LevelScore(level, tree.count(level), proportion(right, len(deep), [text for *_, text in deep]))


def _partial(rows: Sequence[tuple[_Path, _Path]]) -> Average:
    shared = sum(len(set(truth) & set(answer)) for truth, answer in rows)
    precision = shared / sum(len(answer) for _, answer in rows)
    recall = shared / sum(len(truth) for truth, _ in rows)
    return Average(precision, recall, 2 * precision * recall / (precision + recall) if shared else 0.0)


def _branches(rows: Sequence[tuple[_Path, _Path]]) -> tuple[BranchConfusion, ...]:
    totals = Counter(truth[0] for truth, _ in rows)
    astray = Counter((truth[0], answer[0]) for truth, answer in rows if truth[0] != answer[0])
    return tuple(
        BranchConfusion(gold, answer, count, count / totals[gold])
        for (gold, answer), count in sorted(astray.items(), key=lambda one: (-one[1], one[0]))[:_MOST_BRANCHES]
    )
