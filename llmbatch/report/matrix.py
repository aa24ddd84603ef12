"""A confusion matrix as a table: the darker a cell, the larger its share of the gold label's rows."""

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
    """A count, its tooltip, and the CSS class that shades it."""

    count: str
    title: str
    style: str


@dataclass(frozen=True, slots=True)
class Matrix:
    """Gold labels down, answers across; columns are numbered."""

    rows: list[tuple[str, list[Cell]]]
    note: str


def matrix(evaluation: Evaluation) -> Matrix | None:
    """Build the matrix, of the most confused labels if there are many; None if the task takes more than one label."""
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
    strength = share if gold == answer else min(share * 4, 1.0)  # a quarter of the rows wrong already gets full shade
    title = f"{shown}: {counted(count, 'row')}, {percent(count, of_gold)}"
    return Cell(f"{count:,}", title, f"{'right' if gold == answer else 'wrong'} s{math.ceil(strength * _STEPS)}")
