"""Scores of labels and fields, for people."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from llmbatch.analysis.field_scores import FieldScores, SeveralScores
from llmbatch.analysis.metrics import Average, LabelScore
from llmbatch.analysis.tree_scores import TreeScores
from llmbatch.core.plurals import counted
from llmbatch.core.sanitize import neutral
from llmbatch.core.shares import percent
from llmbatch.terminal.tables import columns

_MOST_LABELS = 20
_WORST_LABELS = 12
_MOST_PAIRS = 5
_NAME_WIDTH, _LONGEST_NAME = 32, 200


def field_tables(field: FieldScores) -> Iterator[RenderableType]:
    """A field's figures, then its labels."""
    exact = field.exact
    yield Text.assemble(
        (f"{share(exact.value)} ", "bold cyan"),
        f"exactly right ({exact.count:,} of {exact.total:,}; {share(exact.low)} to {share(exact.high)})",
    )
    if field.mean_error is not None:
        yield Text(f"mean distance from gold {field.mean_error:.2f}")
    if field.one is not None:
        agreement = "-" if field.one.kappa is None else f"{field.one.kappa:.3f}"
        yield Text(f"kappa {agreement}, macro F1 {share(field.one.macro.f1)}")
        yield from label_table(field.one.labels)
    if field.several is not None:
        yield from _several(field.several)
    if field.tree is not None:
        yield from tree_tables(field.tree)


def label_table(labels: tuple[LabelScore, ...]) -> Iterator[RenderableType]:
    """Precision, recall and F1 of each label; if there are many, the worst of those that occur in gold."""
    shown, in_gold = labels, [label for label in labels if label.gold]
    if len(labels) > _MOST_LABELS:
        shown = tuple(sorted(in_gold, key=lambda label: label.f1)[:_WORST_LABELS])
    table = columns("label", "precision", "recall", "F1", "gold", "given", first_width=_NAME_WIDTH)
    for label in shown:
        table.add_row(
            neutral(label.label, limit=_LONGEST_NAME),
            share(label.precision),
            share(label.recall),
            Text(share(label.f1), style="bold"),
            f"{label.gold:,}",
            f"{label.given:,}",
        )
    yield table
    if len(shown) < len(labels):
        without = len(labels) - len(in_gold)
        rest = f"; {counted(without, 'label')} without gold rows" if without else ""
        yield Text(f"the {len(shown)} worst of {len(in_gold)}{rest}; --json has them all", style="dim")


def tree_tables(tree: TreeScores) -> Iterator[RenderableType]:
    """Scores level by level, and the branches that are confused."""
    table = columns("level", "right", "95% interval", "rows", "labels", first_width=_NAME_WIDTH)
    for level in tree.levels:
        found = level.accuracy
        interval = f"{share(found.low)} to {share(found.high)}"
        table.add_row(f"{level.level}", share(found.value), interval, f"{found.total:,}", f"{level.labels:,}")
    yield table
    partial = tree.partial
    yield Text(
        f"with credit for the groups that are right: precision {share(partial.precision)}, "
        f"recall {share(partial.recall)}, F1 {share(partial.f1)}"
    )
    if tree.wrong:
        within = f"{tree.wrong_within_branch:,} of {tree.wrong:,}"
        yield Text(f"wrong answers within the right branch: {within} ({share(tree.wrong_within_branch / tree.wrong)})")
    for one in tree.branches[:_MOST_PAIRS]:
        names = f"{neutral(one.gold, limit=_NAME_WIDTH)} taken for {neutral(one.answer, limit=_NAME_WIDTH)}"
        yield Text(f"{one.count:,} x {names} ({share(one.share)} of its rows)", style="dim")


def share(value: float | None) -> str:
    """A share as a percentage; a dash where it is undefined."""
    return "-" if value is None else percent(value, 1)


def _several(scores: SeveralScores) -> Iterator[RenderableType]:
    averages = (("micro", scores.micro), ("macro", scores.macro), ("per row", scores.samples))
    yield Text(", ".join(_average(name, average) for name, average in averages))
    yield Text(f"Jaccard {share(scores.jaccard)}: of a row's gold and given labels, the shared ones", style="dim")
    yield from label_table(scores.labels)
    if scores.together:
        yield Text(f"together: {'; '.join(map(_pair, scores.together[:_MOST_PAIRS]))}", style="dim")


def _pair(pair: tuple[str, str, int, int]) -> str:
    one, other, gold, given = pair
    return (
        f"{neutral(one, limit=_NAME_WIDTH)} and {neutral(other, limit=_NAME_WIDTH)}: {gold:,} in gold, {given:,} given"
    )


def _average(name: str, average: Average) -> str:
    return f"{name} F1 {share(average.f1)}"
