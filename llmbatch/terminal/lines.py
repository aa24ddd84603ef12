"""Progress without a terminal: a plain dated line from time to time."""

from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import TextIO

from llmbatch.core.plurals import counted
from llmbatch.core.sanitize import neutral
from llmbatch.core.shares import percent
from llmbatch.observe.events import Event, Level
from llmbatch.observe.observer import Observer
from llmbatch.observe.progress import CanaryProgress, Heartbeat, Progress
from llmbatch.terminal.figures import Rate, Waits, cached_so_far, duration, spent_so_far


def _now() -> datetime:
    return datetime.now(UTC)


class LineScreen(Observer):
    """Writes to a log, a CI console or a file. The first line comes after a second, the last one at the end."""

    def __init__(
        self, stream: TextIO, *, every_s: float = 10.0, clock: Callable[[], datetime] = _now, verbose: bool = False
    ) -> None:
        self._verbose = verbose
        self._stream = stream
        self._clock = clock
        self._rate = Rate()
        self._waits = Waits()
        self._heartbeat = Heartbeat(every_s)
        self._last: Progress | None = None
        self._shown: Progress | None = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._last is not None and self._last != self._shown and self._shown is not None:
            self._show(self._last)

    def update(self, progress: Progress) -> None:
        """Write a line when one is due."""
        self._rate.add(progress)
        self._last = progress
        self._waits.add(progress)
        if progress.is_known and self._heartbeat.is_due(progress):
            self._show(progress)

    def event(self, event: Event) -> None:
        """Write what happened, dated."""
        if event.is_detail and not self._verbose:
            return
        self._emit(event, event.shown)

    def _emit(self, event: Event, message: str) -> None:
        level = "" if event.level is Level.INFO else f"{event.level}: "
        self._write(f"{level}{neutral(message)}")

    def _show(self, progress: Progress) -> None:
        self._shown = progress
        self._write(" ".join(part for part in _parts(progress, self._rate, self._waits) if part))

    def _write(self, text: str) -> None:
        self._stream.write(f"{self._clock():%Y-%m-%dT%H:%M:%SZ} {text}\n")
        self._stream.flush()


def _parts(progress: Progress, rate: Rate, waits: Waits) -> list[str]:
    total, eta_s = progress.total, rate.eta_s(progress)
    return [
        counted(progress.done, "row") if total is None else f"{progress.done:,}/{counted(total, 'row')}",
        "" if not total else f"({percent(progress.done, total)})",
        f"{rate.per_s:,.1f}/s",
        "" if eta_s is None else f"eta {duration(eta_s)}",
        spent_so_far(progress),
        "" if not progress.input_tokens else f"cached {cached_so_far(progress)}",
        f"failed {progress.failed:,}",
        f"review {progress.review:,}",
        f"retries {progress.retries:,}",
        "" if not progress.waiting else f"waiting {progress.waiting:,}",
        "" if progress.canary is None else f"canary {_canary(progress.canary)}",
        *(f"({wait})" for wait in waits.shown),
    ]


def _canary(canary: CanaryProgress) -> str:
    if canary.dropped:
        return "dropped"
    return f"{canary.bad:,} bad of {canary.rows:,} (control {percent(canary.control_bad, canary.control_rows)})"
