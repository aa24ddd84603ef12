"""The observers of a run: one hook type for screens, logs, metrics and traces.

Every back-end is an `Observer` in a file of its own that overrides what it needs. A session has one observer;
`Observers` combines several.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from llmbatch.core.ledger_line import LedgerLine
from llmbatch.core.review_rule import ReviewRule
from llmbatch.observe.events import Event, ObserverFailed
from llmbatch.observe.progress import Progress
from llmbatch.observe.summary import Summary


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A session on a run folder begins."""

    run_id: str
    """The folder's id, the same in all its sessions."""
    folder: str
    model: str
    task: str
    prompt: str
    """Fingerprint of the prompt."""
    endpoint: str
    offline: bool
    llmbatch: str
    """The version."""
    review_below: float
    """Confidence (0..1) below which a row goes to review, if its labels have no thresholds of their own."""
    review: ReviewRule
    """Decides which rows need review."""


class Observer:
    """Watches a run. The base class does nothing; as a context, it lasts from before the first event to after the last.

    Called in the run's own thread (`event` in the reader's too), so whatever takes time must be done elsewhere.
    """

    @property
    def is_watching(self) -> bool:
        """Whether it shows or records a run's events or progress; if not, they need not be computed."""
        return type(self).event is not Observer.event or type(self).update is not Observer.update

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close what was opened; `error` is what ended the run if it has no summary."""

    def started(self, run: RunStarted) -> None:
        """A session begins; called once, before anything is sent."""

    def update(self, progress: Progress) -> None:
        """The run's current state; called a few times per second."""

    def row(self, line: LedgerLine) -> None:
        """A row has its outcome, which is in the ledger."""

    def event(self, event: Event) -> None:
        """Log, show or count what happened."""

    def ended(self, summary: Summary) -> None:
        """The session has ended and has a summary."""


class Observers(Observer):
    """Passes everything on to several observers. One that fails is dropped; the others get an event."""

    def __init__(self, observers: Iterable[Observer]) -> None:
        self._observers = list(observers)
        self._on_row: list[Observer] = [o for o in self._observers if type(o).row is not Observer.row]

    @property
    def is_watching(self) -> bool:
        """Whether any of them does."""
        return any(observer.is_watching for observer in self._observers)

    def __enter__(self) -> Self:
        self._pass_on(self._observers, lambda observer: observer.__enter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all of them, the last one first."""
        self._pass_on(self._observers[::-1], lambda observer: observer.__exit__(kind, error, trace))

    def started(self, run: RunStarted) -> None:
        """Pass it on."""
        self._pass_on(self._observers, lambda observer: observer.started(run))

    def update(self, progress: Progress) -> None:
        """Pass it on."""
        self._pass_on(self._observers, lambda observer: observer.update(progress))

    def row(self, line: LedgerLine) -> None:
        """Pass it on to the observers that watch rows; most don't."""
        if self._on_row:
            self._pass_on(self._on_row, lambda observer: observer.row(line))

    def event(self, event: Event) -> None:
        """Pass it on."""
        self._pass_on(self._observers, lambda observer: observer.event(event))

    def ended(self, summary: Summary) -> None:
        """Pass it on."""
        self._pass_on(self._observers, lambda observer: observer.ended(summary))

    def _pass_on(self, observers: list[Observer], call: Callable[[Observer], Any]) -> None:
        for observer in tuple(observers):
            try:
                call(observer)
            except Exception as error:  # noqa: BLE001 - an observer must never harm the run
                self._drop(observer)
                self.event(ObserverFailed(type(observer).__name__, f"{type(error).__name__}: {error}"))

    def _drop(self, observer: Observer) -> None:
        for observers in (self._observers, self._on_row):
            if observer in observers:
                observers.remove(observer)
