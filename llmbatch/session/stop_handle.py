"""Interrupts a session from outside: by a signal, from another thread, or for a cancelled task."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from llmbatch.core.errors import Interrupted
from llmbatch.engine.cancellation import Cancellation
from llmbatch.observe.events import SignalReceived
from llmbatch.observe.observer import Observer


class StopHandle:
    """Stops one run in an orderly way, from any thread or signal handler.

    While rows are sent, the first call of `stop` lets the requests in flight finish, and a second one abandons them. At
    any other time (while the ledger is read, or the views are written), a call ends the current step. That loses
    nothing: the ledger is only appended to, and other files are replaced atomically. A run whose handle is stopped
    before it starts sends nothing.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        """Reentrant, since a signal handler may run while its own thread holds it."""
        self._pending: Interrupted | None = None
        self._act: Callable[[Interrupted], None] = self._keep

    def stop(self, reason: Interrupted | None = None) -> None:
        """Stop the run.

        Args:
            reason: the reason and exit code in the run's summary; by default an interrupt from Python.
        """
        with self._lock:
            self._act(reason or Interrupted("the caller"))

    def check(self) -> None:
        """Called by the session during slow steps.

        Raises:
            Interrupted: the handle was stopped at a time when no requests are in flight.
        """
        if self._pending is not None:
            raise self._taken()

    @contextmanager
    def stopping(self, cancellation: Cancellation, observer: Observer) -> Iterator[None]:
        """During the block, which runs in the event loop, `cancellation` is set instead."""
        loop = asyncio.get_running_loop()

        def set_stop(reason: Interrupted) -> None:
            if cancellation.is_set:
                cancellation.hurry()
                return
            observer.event(SignalReceived(reason.by))
            cancellation.set(reason)

        def set_stop_soon(reason: Interrupted) -> None:
            loop.call_soon_threadsafe(set_stop, reason)

        with self._acting(set_stop_soon):
            if self._pending is not None:
                set_stop(self._taken())
            yield

    def end(self) -> None:
        """From here on, a call has no effect: only the record remains to be written."""
        with self._lock:
            self._act = lambda _: None
            self._pending = None

    @contextmanager
    def _acting(self, act: Callable[[Interrupted], None]) -> Iterator[None]:
        with self._lock:
            self._act = act
        try:
            yield
        finally:
            with self._lock:
                self._act = self._keep

    def _keep(self, reason: Interrupted) -> None:
        self._pending = self._pending or reason

    def _taken(self) -> Interrupted:
        with self._lock:
            pending, self._pending = self._pending, None
        assert pending is not None  # noqa: S101 - only the session takes it, in one thread
        return pending
