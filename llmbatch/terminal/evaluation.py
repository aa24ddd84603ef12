"""An evaluation for people: how good the labels are, where they are wrong, and what to do about it."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from llmbatch.analysis.candidate_recall import CandidateRecall
from llmbatch.analysis.confusion import Confusion, most_confused
from llmbatch.analysis.evaluation import Evaluation
from llmbatch.analysis.gates import Gate
from llmbatch.analysis.metrics import Proportion
from llmbatch.analysis.pairs import Pair
from llmbatch.analysis.reliability import Reliability
from llmbatch.analysis.thresholds import ThresholdRow, Thresholds
from llmbatch.core.plurals import counted
from llmbatch.core.sanitize import neutral
from llmbatch.core.shares import percent
from llmbatch.terminal.heatmap import fitting, heatmap
from llmbatch.terminal.scores import field_tables, label_table, share, tree_tables
from llmbatch.terminal.tables import columns, print_stripped, section

_MOST_LABELS = 20
_MOST_CONFUSIONS = 8
_EXAMPLES = 2
_MOST_THRESHOLDS = 10
_NAME_WIDTH = 32
_BAR_WIDTH = 20


def render_evaluation(
    evaluation: Evaluation, console: Console, *, plot: Path | None = None, gates: Sequence[Gate] = ()
) -> None:
    """Print an evaluation; `plot` is the saved plot, `gates` are the gates that were checked."""
    print_stripped(console, _sections(evaluation, console, plot))
    if gates:
        print_stripped(console, [section("Gates", *map(_gate, gates))])


def _gate(gate: Gate) -> Text:
    word = ("passed  ", "green") if gate.passed else ("failed  ", "bold red")
    return Text.assemble(word, neutral(gate.finding, limit=200))


def _sections(evaluation: Evaluation, console: Console, plot: Path | None) -> Iterator[RenderableType]:
    """The details, then the conclusions, which a terminal shows at the end."""
    width = console.width - 2
    for field in evaluation.fields:
        yield section(f"Field {field.field}", *field_tables(field))
    if evaluation.tree is not None:
        yield section("Levels", *tree_tables(evaluation.tree))
    if evaluation.candidates is not None:
        yield section("Labels retrieved for a document", *_recall(evaluation.candidates))
    if evaluation.scores.labels:
        yield section("Labels", *label_table(evaluation.scores.labels))
        yield section("Answers (across) by gold label (down)", *_matrix(evaluation, width))
    if evaluation.confusions:
        yield section("Costliest confusions", *_confusions(evaluation, width))
    if evaluation.reliability is not None:
        yield section("Confidence", *_reliability(evaluation.reliability, "#" if console.options.ascii_only else "█"))
        yield section("Review threshold", *_thresholds(evaluation.thresholds))
    if evaluation.notes:
        yield section("Notes", *(Text(neutral(f"{note}.", limit=600), style="yellow") for note in evaluation.notes))
    if plot is not None:
        yield section(None, Text.assemble(("plot  ", "bold"), neutral(str(plot))))
    yield Text()
    yield from _headline(evaluation)
    yield section(None, _figures(evaluation))


def _headline(evaluation: Evaluation) -> Iterator[Text]:
    subject = evaluation.subject
    yield Text.assemble(
        ("Evaluated", "bold green"),
        f"  {neutral(subject.folder)}",
        (f"  against {neutral(evaluation.gold_file)}", "dim"),
    )
    texts = counted(evaluation.texts, "distinct text")
    of = f"{counted(evaluation.matched, 'row')} of {subject.rows:,} have a gold label, {texts}"
    endpoint = "the offline endpoint as " if subject.offline else ""
    yield Text(f"  {neutral(subject.task)}, {endpoint}{neutral(subject.model)}: {of}", style="dim")
    reviewed = f", not the labels that people gave {counted(subject.reviewed, 'row')}" if subject.reviewed else ""
    yield Text(f"  judged are the model's answers{reviewed}", style="dim")


def _figures(evaluation: Evaluation) -> Table:
    scores = evaluation.scores
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column(justify="right", style="bold cyan")
    table.add_column(overflow="fold", style="dim")
    table.add_row("accuracy", share(scores.accuracy.value), _right(scores.accuracy))
    if scores.unanswerable:
        unknown = (
            f"{counted(scores.unanswerable, 'row')} with a gold label that the task does not have, counted as wrong"
        )
        table.add_row("", "", Text(f"{unknown}; without them:", style="bold yellow"))
        table.add_row(
            "task's labels", share(scores.accuracy_of_task_labels.value), _right(scores.accuracy_of_task_labels)
        )
    for arm in evaluation.arms:
        asked = f"{neutral(arm.model, limit=_NAME_WIDTH)}, prompt {arm.prompt}"
        table.add_row(f"  {arm.arm}", share(arm.accuracy.value), f"{_right(arm.accuracy)}; {asked}")
    if scores.coverage.count < scores.coverage.total:
        missing = scores.coverage.total - scores.coverage.count
        wrong = f"{counted(missing, 'row')} with gold failed or pending; counted as wrong: accuracy "
        table.add_row("coverage", share(scores.coverage.value), wrong + share(scores.accuracy_of_all.value))
    if evaluation.fields:
        return table
    table.add_row("kappa", _decimal(scores.kappa), "agreement beyond chance (Cohen)")
    for name, average in (("macro F1", scores.macro), ("weighted F1", scores.weighted)):
        detail = f"precision {share(average.precision)}, recall {share(average.recall)}"
        table.add_row(name, share(average.f1), detail)
    return table


def _recall(found: CandidateRecall) -> Iterator[RenderableType]:
    table = columns("labels", "recall", "95% interval", "gold labels", "", first_width=10)
    table.columns[-1].justify = "left"
    for one in found.at:
        uses = {found.listed: "listed in a request", 2 * found.listed: "listed in two, where none of the first fits"}
        table.add_row(
            f"{one.labels:,}",
            share(one.recall.value),
            _interval(one.recall),
            f"{one.recall.count:,} of {one.recall.total:,}",
            Text(uses.get(one.labels, ""), style="dim"),
        )
    yield table


def _matrix(evaluation: Evaluation, width: int) -> Iterator[RenderableType]:
    """The matrix; if there are many labels, of those that are confused most."""
    labels, matrix = [label.label for label in evaluation.scores.labels], evaluation.scores.matrix
    room = fitting(width, max(count for row in matrix for count in row))
    most = room if len(labels) <= room else min(room, _MOST_LABELS)
    chosen = most_confused(labels, evaluation.confusions, most)
    shares = [[matrix[n][m] / max(sum(matrix[n]), 1) for m in chosen] for n in chosen]
    yield heatmap([labels[n] for n in chosen], [[matrix[n][m] for m in chosen] for n in chosen], shares)
    if len(chosen) < len(labels):
        yield Text(
            f"the {len(chosen)} most confused of {len(labels)} labels; --plot FILE.png draws them all", style="dim"
        )


def _confusions(evaluation: Evaluation, width: int) -> Iterator[RenderableType]:
    yield Text("unseen: confident enough to pass without review", style="dim")
    for confusion in evaluation.confusions[:_MOST_CONFUSIONS]:
        yield _confusion(confusion)
        for pair in confusion.examples[:_EXAMPLES]:
            yield _example(pair, width - 2)
    rest = len(evaluation.confusions) - _MOST_CONFUSIONS
    if rest > 0:
        yield Text(f"and {counted(rest, 'more pair')} of labels; --json has them all", style="dim")


def _confusion(confusion: Confusion) -> Text:
    unseen = f"  {confusion.unseen:,} unseen, {percent(confusion.share_of_gold, 1)} of its rows"
    return Text.assemble(
        (f"{confusion.count:,}", "bold red"),
        " x ",
        (neutral(confusion.gold, limit=_NAME_WIDTH), "bold"),
        " taken for ",
        (neutral(confusion.answer, limit=_NAME_WIDTH), "bold"),
        (unseen, "dim"),
    )


def _example(pair: Pair, width: int) -> Text:
    head = f"    {pair.confidence or 0:.2f}  {neutral(str(pair.id), limit=24)}  "
    return Text(
        head + neutral(pair.text, limit=max(width - len(head), 20)), style="dim", no_wrap=True, overflow="ellipsis"
    )


def _reliability(calibration: Reliability, bar: str) -> Iterator[RenderableType]:
    table = columns("said", "mean", "right", "95% interval", "rows", "", first_width=10)
    table.columns[-1].justify = "left"
    most = max(one.right.total for one in calibration.bins)
    for one in calibration.bins:
        length = max(round(_BAR_WIDTH * one.right.total / most), 1)
        low, high = one.right.low or 0.0, one.right.high or 0.0
        off = not low <= one.mean_confidence <= high
        table.add_row(
            f"{one.low:.1f}-{one.high:.1f}",
            f"{one.mean_confidence:.2f}",
            Text(f"{one.right.value or 0:.2f}", style="yellow" if off else "green"),
            f"{low:.2f} to {high:.2f}",
            f"{one.right.total:,}",
            Text(bar * length, style="blue"),
        )
    yield table
    ranking = "" if calibration.auroc is None else f"; ranks right above wrong: AUROC {calibration.auroc:.3f}"
    yield Text(f"ECE {calibration.ece:.3f}, Brier {calibration.brier:.3f}{ranking}", style="dim")


def _thresholds(table: Thresholds) -> Iterator[RenderableType]:
    shown = columns("--review-below", "precision", "at least", "texts", "to people", "share", "", first_width=18)
    shown.columns[-1].justify = "left"
    for row in _thinned(table):
        chosen = row is table.recommended
        shown.add_row(
            Text(f"{row.threshold:g}", style="bold green" if chosen else ""),
            share(row.precision),
            Text(share(row.at_least), style="green" if row.shown else "dim"),
            f"{row.texts:,}",
            f"{row.to_people:,}",
            percent(row.to_people_share, 1),
            Text("recommended", style="bold green") if chosen else "",
        )
    yield shown
    if table.recommended is None:
        yield Text(neutral(f"For a precision of {share(table.wanted)}: {table.remark}."), style="yellow")
        return
    people = f"{counted(table.recommended.to_people, 'row')} ({percent(table.recommended.to_people_share, 1)})"
    yield Text.assemble(
        f"A precision of {share(table.wanted)} is shown for ",
        (f"--review-below {table.recommended.threshold:g}", "bold green"),
        f" (at least {share(table.recommended.at_least)}, by exact tests at 5% on "
        f"{counted(table.recommended.texts, 'distinct text')} that pass): {people} go to people.",
    )


def _right(accuracy: Proportion) -> str:
    """`88.1% to 94.0% (95%, 310 distinct texts); 288 of 315 right`."""
    if accuracy.value is None:
        return "no rows"
    sure = f"95%, {counted(accuracy.texts, 'distinct text')}"
    return f"{_interval(accuracy)} ({sure}); {accuracy.count:,} of {accuracy.total:,} right"


def _thinned(table: Thresholds) -> list[ThresholdRow]:
    """At most ten rows, evenly, the recommended one among them."""
    rows = list(table.rows)
    step = max((len(rows) - 1) / (_MOST_THRESHOLDS - 1), 1)
    kept = {round(n * step) for n in range(_MOST_THRESHOLDS)}
    return [row for n, row in enumerate(rows) if n in kept or row is table.recommended]


def _decimal(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _interval(proportion: Proportion) -> str:
    if proportion.low is None or proportion.high is None:
        return "no rows"
    return f"{100 * proportion.low:.1f}% to {100 * proportion.high:.1f}%"
