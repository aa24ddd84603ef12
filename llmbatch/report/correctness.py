"""The run compared with gold labels: accuracy, and how well calibrated the confidence is."""

from collections import Counter
from dataclasses import dataclass

from llmbatch.analysis.evaluation import Evaluation
from llmbatch.analysis.field_scores import FieldScores
from llmbatch.analysis.reliability import Reliability
from llmbatch.analysis.tree_scores import TreeScores
from llmbatch.core.plurals import counted
from llmbatch.core.sanitize import neutral
from llmbatch.core.shares import percent
from llmbatch.report.charts import Column, columns
from llmbatch.report.matrix import Matrix, matrix
from llmbatch.report.panels import BarList, Chart, bars

_BINS = 10
_MOST_CONFUSIONS = 10
_PAIR_WIDTH = 130


@dataclass(frozen=True, slots=True)
class Correctness:
    """The panels that compare with gold labels."""

    accuracy: str
    remark: str
    notes: tuple[str, ...]
    calibration: Chart | None
    confusions: BarList | None
    confusions_note: str = ""
    matrix: Matrix | None = None
    fields: tuple[tuple[str, ...], ...] = ()
    """Of a task with several labels or fields: each field's name and scores."""


def correctness(evaluation: Evaluation) -> Correctness:
    """Build the panels of an evaluation."""
    accuracy, reliability = evaluation.scores.accuracy, evaluation.reliability
    interval = "" if accuracy.low is None else f"{accuracy.low:.1%} to {accuracy.high:.1%}, "
    confused = Counter({f"{one.gold} → {one.answer}": one.count for one in evaluation.confusions})
    ranked = confused.most_common(_MOST_CONFUSIONS)
    return Correctness(
        accuracy="unknown" if accuracy.value is None else f"{accuracy.value:.1%}",
        remark=f"{interval}{counted(accuracy.total, 'gold row')}",
        notes=(*_levels(evaluation.tree), *evaluation.notes),
        calibration=None if reliability is None else _calibration(reliability),
        confusions=bars(dict(ranked), "failed", total=confused.total(), limit=_PAIR_WIDTH),
        confusions_note=_left_out(confused, ranked),
        matrix=matrix(evaluation),
        fields=tuple(_field(scores) for scores in evaluation.fields),
    )


def _levels(tree: TreeScores | None) -> tuple[str, ...]:
    """For nested labels: how many rows are right at each level, and the credit for right groups."""
    if tree is None:
        return ()
    levels = "; ".join(f"level {one.level}: {_share(one.accuracy.value)}" for one in tree.levels)
    return (f"Right by {levels}. With credit for the groups that are right: F1 {_share(tree.partial.f1)}.",)


def _field(scores: FieldScores) -> tuple[str, ...]:
    """A field's row in the table: name, exactly right, micro and macro F1, Jaccard, credit for groups, distance."""
    one, several, tree = scores.one, scores.several, scores.tree
    macro = one.macro.f1 if one is not None else several.macro.f1 if several is not None else None
    return (
        neutral(scores.field, limit=_PAIR_WIDTH),
        _share(scores.exact.value),
        _share(None if several is None else several.micro.f1),
        _share(macro),
        _share(None if several is None else several.jaccard),
        _share(None if tree is None else tree.partial.f1),
        "-" if scores.mean_error is None else f"{scores.mean_error:.2f}",
    )


def _share(value: float | None) -> str:
    return "-" if value is None else percent(value, 1)


def _left_out(confused: Counter[str], ranked: list[tuple[str, int]]) -> str:
    rest = len(confused) - len(ranked)
    if not rest:
        return ""
    rows = confused.total() - sum(count for _, count in ranked)
    return f"{counted(rest, 'more pair')} with {counted(rows, 'row')}: llmbatch evaluate --json lists all of them."


def _calibration(reliability: Reliability) -> Chart:
    drawn = [Column(f"{n / _BINS:.1f} to {(n + 1) / _BINS:.1f}: no gold row", ()) for n in range(_BINS)]
    for one in reliability.bins:
        right = one.right
        title = (
            f"confidence {one.low:.1f} to {one.high:.1f}: {right.count} of {right.total} right, "
            f"mean confidence {one.mean_confidence:.2f}"
        )
        drawn[round(one.low * _BINS)] = Column(title, (right.value or 0.0,), mark=one.mean_confidence)
    return Chart(
        title="Calibration",
        note=f"Share of right labels by confidence; the line shows perfect calibration. "
        f"Expected calibration error {reliability.ece:.3f}.",
        top="100% right",
        drawing=columns(drawn, ("ok",), label="accuracy by confidence", top=1.0),
        ticks=("0", "0.25", "0.5", "0.75", "1"),
        legend=(("ok", "right"), ("ink", "mean confidence")),
    )
