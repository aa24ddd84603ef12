"""Several runs of a task on one page: one line per run, and how each figure changed from run to run."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llmbatch.analysis.metrics import Proportion
from llmbatch.core.sanitize import neutral
from llmbatch.core.shares import percent
from llmbatch.observe.summary import Summary
from llmbatch.report.charts import Column, columns
from llmbatch.report.html import rendered
from llmbatch.report.panels import Chart
from llmbatch.terminal.figures import dollars

_MOST_LABELS = 12


@dataclass(frozen=True, slots=True)
class RunFigures:
    """One run's figures; its texts are already sanitized."""

    name: str
    on: str
    """When the run started, UTC."""
    inputs: str
    summary: Summary
    confidence: float | None
    """Mean confidence of its labelled rows."""
    accuracy: Proportion | None
    """Accuracy against gold labels, if it has any."""

    @property
    def failed(self) -> int:
        """Rows that finally failed."""
        return self.summary.rows.failed + self.summary.rows.rejected


_Figure = Callable[[RunFigures], tuple[float, str] | None]
"""A run's value in a chart, as a number and as text; None if the run has none."""

_SHOWN_WHERE_VARYING = ("inputs", "model", "prompt")
"""Table columns; what all runs have in common is in the page header."""


def render_trends(task: str, runs: Sequence[RunFigures], *, at: str) -> str:
    """Render the page's HTML; `runs` are in order of time."""
    lines = [_line(run) for run in runs]
    return rendered(
        "trends.html.j2",
        task=task,
        runs=lines,
        varying=[name for name in _SHOWN_WHERE_VARYING if len({line[name] for line in lines}) > 1],
        has_accuracy=any(run.accuracy for run in runs),
        notes=_notes(runs),
        charts=[chart for chart in (_chart(runs, *figure) for figure in _FIGURES) if chart is not None],
        labels=_labels(runs),
        at=at,
    )


def _line(run: RunFigures) -> dict[str, str]:
    rows = run.summary.rows
    each = run.summary.cost_per_1000_nanousd
    return {
        "name": run.name,
        "on": run.on,
        "inputs": run.inputs,
        "state": run.summary.state,
        "model": neutral(run.summary.model, limit=60),
        "prompt": run.summary.prompt,
        "rows": f"{rows.total:,}",
        "labelled": percent(rows.ok, rows.total),
        "review": percent(rows.review, rows.total),
        "failed": percent(run.failed, rows.total),
        "confidence": "" if run.confidence is None else f"{run.confidence:.3f}",
        "accuracy": _accuracy_in_words(run.accuracy),
        "cost": dollars(run.summary.spent.cost_nanousd),
        "each": "" if each is None else dollars(each),
    }


def _notes(runs: Sequence[RunFigures]) -> list[str]:
    notes = []
    if len({run.summary.offline for run in runs}) > 1:
        notes.append("Some of these runs were simulated by the offline endpoint: their figures are not a real model's.")
    if len({run.summary.prompt for run in runs}) > 1:
        notes.append("The prompt differs between these runs.")
    if len({run.summary.model for run in runs}) > 1:
        notes.append("The model differs between these runs.")
    return notes


def _accuracy_in_words(accuracy: Proportion | None) -> str:
    if accuracy is None or accuracy.value is None:
        return ""
    return f"{accuracy.value:.1%} ({accuracy.low:.1%} to {accuracy.high:.1%})"


def _accuracy(run: RunFigures) -> tuple[float, str] | None:
    found = run.accuracy
    return None if found is None or found.value is None else (found.value, f"{found.value:.1%}")


def _review(run: RunFigures) -> tuple[float, str] | None:
    return _share(run.summary.rows.review, run.summary.rows.total)


def _failed(run: RunFigures) -> tuple[float, str] | None:
    return _share(run.failed, run.summary.rows.total)


def _confidence(run: RunFigures) -> tuple[float, str] | None:
    return None if run.confidence is None else (run.confidence, f"{run.confidence:.3f}")


def _cost(run: RunFigures) -> tuple[float, str] | None:
    each = run.summary.cost_per_1000_nanousd
    return None if each is None else (each, dollars(each))


def _rows(run: RunFigures) -> tuple[float, str] | None:
    return run.summary.rows.total, f"{run.summary.rows.total:,}"


def _share(count: int, total: int) -> tuple[float, str] | None:
    return (count / total, percent(count, total)) if total else None


_FIGURES: tuple[tuple[str, str, _Figure], ...] = (
    ("Right labels", "ok", _accuracy),
    ("In review", "review", _review),
    ("Failed", "failed", _failed),
    ("Mean confidence", "ok", _confidence),
    ("Cost per 1,000 rows", "ok", _cost),
    ("Rows", "ok", _rows),
)


def _chart(runs: Sequence[RunFigures], title: str, style: str, figure: _Figure) -> Chart | None:
    """A column for each run; None if no run has the figure."""
    found = [figure(run) for run in runs]
    shown = [one for one in found if one is not None]
    if not shown:
        return None
    drawn = [
        Column(f"{run.on}, {run.name}: {'unknown' if one is None else one[1]}", () if one is None else (one[0],))
        for run, one in zip(runs, found, strict=True)
    ]
    return Chart(
        title=title,
        note=f"{shown[0][1]} → {shown[-1][1]}" if len(shown) > 1 else shown[0][1],
        top=max(shown)[1],
        drawing=columns(drawn, (style,), label=f"{title} by run"),
        ticks=_ends(runs[0].on, runs[-1].on),
    )


def _ends(first: str, last: str) -> tuple[str, ...]:
    """The two dates, or the times if both are on one day."""
    begin, end = first[:10], last[:10]
    return (begin, end) if begin != end else (first[11:16], f"{last[11:16]} UTC")


def _labels(runs: Sequence[RunFigures]) -> list[Chart]:
    """The shares of the most common labels, run by run."""
    counts = sum((Counter(run.summary.labels) for run in runs), start=Counter[str]())
    charts = []
    for name, _ in counts.most_common(_MOST_LABELS):

        def share(run: RunFigures, name: str = name) -> tuple[float, str] | None:
            return _share(run.summary.labels.get(name, 0), run.summary.rows.ok + run.summary.rows.review)

        chart = _chart(runs, neutral(name, limit=60), "ok", share)
        if chart is not None:
            charts.append(chart)
    return charts
