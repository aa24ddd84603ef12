"""A confusion matrix as a table for a page: the stronger a cell's ground, the larger its share of the gold label."""

import math
from dataclasses import dataclass

from llmbatch.analysis.confusion import most_confused
from llmbatch.analysis.evaluation import Evaluation
from llmbatch.core.plurals import counted
from llmbatch.core.sanitize import neutral
from llmbatch.core.shares import percent

_MOST_LABELS = 20
_STEPS = 8


@dataclass(frozen=True, slots=True)
class Cell:
    """A count, what it means in words, and the class that shades it."""

    count: str
    title: str
    style: str


@dataclass(frozen=True, slots=True)
class Matrix:
    """Gold labels down, answers across; columns go by their numbers."""

    rows: list[tuple[str, list[Cell]]]
    note: str


def matrix(evaluation: Evaluation) -> Matrix | None:
    """The matrix, or of many labels those that are confused most; None where a row has more than one label to give."""
    names, counts = [label.label for label in evaluation.scores.labels], evaluation.scores.matrix
    if not names:
        return None
    chosen = most_confused(names, evaluation.confusions, _MOST_LABELS)
    rows = [
        (neutral(names[n], limit=60), [_cell(names[n], names[m], counts[n][m], sum(counts[n])) for m in chosen])
        for n in chosen
    ]
    note = "Gold labels down, answers across by number. "
    if len(chosen) < len(names):
        note += f"The {len(chosen)} most confused of {counted(len(names), 'label')}. "
    return Matrix(rows, note + "Bold: right. A cell's shade is its share of the gold label's rows.")


def _cell(gold: str, answer: str, count: int, of_gold: int) -> Cell:
    shown = f"{neutral(gold, limit=60)} → {neutral(answer, limit=60)}"
    if not count:
        return Cell("", f"{shown}: none", "right none" if gold == answer else "none")
    share = count / of_gold
    strength = share if gold == answer else min(share * 4, 1.0)  # a quarter of the rows gone wrong is a lot
    title = f"{shown}: {counted(count, 'row')}, {percent(count, of_gold)}"
    return Cell(f"{count:,}", title, f"{'right' if gold == answer else 'wrong'} s{math.ceil(strength * _STEPS)}")
