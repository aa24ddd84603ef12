"""Progress in a notebook: one line in the output of its cell, updated in place."""

import html
from importlib import import_module
from typing import Any

from llmbatch.core.plurals import counted
from llmbatch.core.shares import percent
from llmbatch.observe.progress import Progress
from llmbatch.terminal.figures import Rate, Waits, dollars, duration


class NotebookBar:
    """A bar with figures, as HTML if the front end shows HTML, otherwise as text."""

    def __init__(self) -> None:
        self._rate = Rate()
        self._waits = Waits()
        self._display: Any = None

    def show(self, progress: Progress) -> None:
        """Show the run's current state. Called in the thread of the cell."""
        display: Any = import_module("IPython.display").display  # available only in notebooks
        self._rate.add(progress)
        self._waits.add(progress)
        line = _Line(progress, self._rate, self._waits)
        if self._display is None:
            self._display = display(line, display_id=True)
        else:
            self._display.update(line)


class _Line:
    def __init__(self, progress: Progress, rate: Rate, waits: Waits) -> None:
        self._progress = progress
        self._text = "  ".join(_figures(progress, rate, waits))

    def __repr__(self) -> str:
        return self._text

    def _repr_html_(self) -> str:
        progress = self._progress
        bar = f"<progress value={progress.done} max={progress.total}></progress> " if progress.total else ""
        return f"{bar}<code>{html.escape(self._text)}</code>"


def _figures(progress: Progress, rate: Rate, waits: Waits) -> list[str]:
    if not progress.is_known:
        return ["starting: reading what is there"]
    eta_s = rate.eta_s(progress)
    rows = counted(progress.done, "row")
    if progress.total:
        rows = f"{progress.done:,}/{progress.total:,} rows ({percent(progress.done, progress.total)})"
    figures = [
        rows,
        f"{rate.per_s:,.1f}/s",
        "" if eta_s is None else f"{duration(eta_s)} left",
        f"cost {dollars(progress.cost_nanousd)}",
        f"failed {progress.failed:,}" if progress.failed else "",
        f"review {progress.review:,}" if progress.review else "",
        f"retries {progress.retries:,}" if progress.retries else "",
        *waits.shown,
    ]
    return [figure for figure in figures if figure]
