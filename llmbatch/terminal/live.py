"""Progress on a terminal: a bar that stays in place, messages above it."""

from threading import Lock
from types import TracebackType
from typing import Self

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from llmbatch.core.plurals import counted
from llmbatch.core.sanitize import neutral
from llmbatch.core.shares import percent
from llmbatch.observe.events import Event, Level
from llmbatch.observe.observer import Observer
from llmbatch.observe.progress import CanaryProgress, Progress
from llmbatch.terminal.figures import Rate, Waits, cached_so_far, duration, spent_so_far

_BAR_WIDTH = 24
_WIDTH_FOR_A_BAR = 60


class LiveScreen(Observer):
    """Two lines: how far and how fast; what it costs and what went wrong. A third line if the run waits."""

    def __init__(self, console: Console, *, verbose: bool = False) -> None:
        self._console = console
        self._verbose = verbose
        self._display = _Display()
        self._live = Live(self._display, console=console, auto_refresh=False, transient=True)
        self._drawing = Lock()
        """Events come from several threads. If the display changed between printing a message and the display, rich
        would erase as many lines as the display had before, and one could be left over."""

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def update(self, progress: Progress) -> None:
        """Show the run's current state."""
        self._display.update(progress)
        with self._drawing:
            self._live.refresh()

    def event(self, event: Event) -> None:
        """Print what happened above the bar."""
        if event.is_detail and not self._verbose:
            return
        with self._drawing:
            self._console.print(_message(event))


def _message(event: Event) -> Text:
    if event.level is Level.INFO:
        return Text(neutral(event.shown), style="dim")
    style = "bold red" if event.level is Level.ERROR else "bold yellow"
    return Text.assemble((f"{event.level}: ", style), neutral(event.shown))


class _Display:
    """Renders the latest progress in the available width, dropping the least important figures first."""

    def __init__(self) -> None:
        self._progress = Progress()
        self._rate = Rate()
        self._waits = Waits()

    def update(self, progress: Progress) -> None:
        self._rate.add(progress)
        self._waits.add(progress)
        self._progress = progress

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width, progress = options.max_width, self._progress
        if not progress.is_known:
            yield Text("starting: reading what is there", style="dim", no_wrap=True, overflow="ellipsis")
            return
        if progress.total and width >= _WIDTH_FOR_A_BAR:
            line = Table.grid(padding=(0, 1))
            bar = ProgressBar(total=progress.total, completed=progress.done, width=_BAR_WIDTH)
            line.add_row(bar, _fitting(self._speed(), width - _BAR_WIDTH - 1))
            yield line
        else:
            yield _fitting(self._speed(), width)
        yield _fitting(self._figures(), width)
        if waits := self._waits.shown:
            yield _fitting([Text(wait, style="bold yellow") for wait in waits], width)
        if progress.canary is not None:
            yield _fitting(_canary(progress.canary), width)

    def _speed(self) -> list[Text]:
        """The first line's figures, the most important first."""
        progress, rate = self._progress, Text(f"{self._rate.per_s:,.1f} rows/s", style="cyan")
        if not progress.total:
            return [Text(counted(progress.done, "row"), style="bold"), rate, Text(duration(progress.elapsed_s))]
        return [
            Text(f"{progress.done:,}/{progress.total:,}", style="bold"),
            Text(percent(progress.done, progress.total)),
            rate,
            Text(self._time_left(), style="cyan"),
        ]

    def _time_left(self) -> str:
        eta_s = self._rate.eta_s(self._progress)
        return "" if eta_s is None else f"{duration(eta_s)} left"

    def _figures(self) -> list[Text]:
        """The second line's figures, the most important first."""
        progress = self._progress
        figures = [Text(spent_so_far(progress), style="green")]
        figures += [
            Text(f"failed {progress.failed:,}", style="bold red" if progress.failed else "dim"),
            Text(f"review {progress.review:,}", style="magenta" if progress.review else "dim"),
            Text(f"retries {progress.retries:,}", style="yellow" if progress.retries else "dim"),
        ]
        if progress.input_tokens:
            figures.append(Text(f"cached {cached_so_far(progress)}"))
        figures.append(Text(f"in flight {progress.in_flight:,}", style="dim"))
        if progress.waiting:
            figures.append(Text(f"waiting {progress.waiting:,}", style="dim"))
        return figures


def _canary(canary: CanaryProgress) -> list[Text]:
    """The third line, if there is a canary."""
    return [
        Text("canary dropped", style="bold red") if canary.dropped else Text(f"canary {counted(canary.rows, 'row')}"),
        Text(f"bad {percent(canary.bad, canary.rows)}", style="yellow" if canary.bad else "dim"),
        Text(f"control {percent(canary.control_bad, canary.control_rows)} of {canary.control_rows:,}", style="dim"),
    ]


def _fitting(figures: list[Text], width: int) -> Text:
    line = Text(no_wrap=True, overflow="ellipsis")
    for figure in figures:
        gap = "  " if line else ""
        if line and len(line) + len(gap) + len(figure) > width:
            break
        line.append(gap)
        line.append_text(figure)
    return line
