"""Progress where there is no terminal: a plain dated line every so often."""

from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Self, TextIO

from llmbatch.neutral import neutral
from llmbatch.progress import Progress
from llmbatch.screen.figures import Rate, dollars, duration, percent


def _now() -> datetime:
    return datetime.now(UTC)


class LineScreen:
    """Writes to a log, a CI console or a file. The first line comes after a second, the last one at the end."""

    def __init__(self, stream: TextIO, *, every_s: float = 10.0, clock: Callable[[], datetime] = _now) -> None:
        self._stream = stream
        self._every_s = every_s
        self._clock = clock
        self._rate = Rate()
        self._next_s = 1.0
        self._last: Progress | None = None
        self._shown: Progress | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._last is not None and self._last != self._shown and self._shown is not None:
            self._show(self._last)

    def update(self, progress: Progress) -> None:
        """Write a line when one is due."""
        self._rate.add(progress)
        self._last = progress
        if progress.elapsed_s >= self._next_s:
            self._next_s = progress.elapsed_s + self._every_s
            self._show(progress)

    def say(self, message: str) -> None:
        """Write a message, dated."""
        self._write(neutral(message))

    def warn(self, message: str) -> None:
        """Write a warning, dated."""
        self._write(f"warning: {neutral(message)}")

    def _show(self, progress: Progress) -> None:
        self._shown = progress
        self._write(" ".join(part for part in _parts(progress, self._rate) if part))

    def _write(self, text: str) -> None:
        self._stream.write(f"{self._clock():%Y-%m-%dT%H:%M:%SZ} {text}\n")
        self._stream.flush()


def _parts(progress: Progress, rate: Rate) -> list[str]:
    total, eta_s = progress.total, rate.eta_s(progress)
    return [
        f"{progress.done:,} rows" if total is None else f"{progress.done:,}/{total:,} rows",
        "" if not total else f"({percent(progress.done, total)})",
        f"{rate.per_s:,.1f}/s",
        "" if eta_s is None else f"eta {duration(eta_s)}",
        f"cost {dollars(progress.cost_nusd)}",
        "" if not progress.input_tokens else f"cached {percent(progress.cached_input_tokens, progress.input_tokens)}",
        f"failed {progress.failed:,}",
        f"review {progress.review:,}",
        f"retries {progress.retries:,}",
        "" if not progress.waiting else f"waiting {progress.waiting:,}",
        "" if not progress.held_s else f"(the server asks to wait {duration(progress.held_s)})",
    ]
