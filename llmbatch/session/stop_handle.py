"""Interrupting a session from outside: by a signal, from another thread, for a cancelled task."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from llmbatch.core.errors import Interrupted
from llmbatch.engine.cancellation import Cancellation
from llmbatch.observe.events import SignalReceived
from llmbatch.observe.observer import Observer


class StopHandle:
    """Stops one run in order, from any thread or signal handler.

    While rows are asked, the first call of `stop` lets the requests in flight finish, and a second one abandons them.
    At any other time (the ledger is being read, the views are being made) a call ends what is being done. That loses
    nothing: the ledger is only ever appended to, and other files are replaced whole. A run whose handle is stopped
    before it begins sends nothing.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        """Reentrant, since a signal handler may come in while its own thread holds it."""
        self._pending: Interrupted | None = None
        self._act: Callable[[Interrupted], None] = self._keep

    def stop(self, reason: Interrupted | None = None) -> None:
        """Stop the run.

        Args:
            reason: what the run's summary says, and its exit code; an interrupt from Python by default.
        """
        with self._lock:
            self._act(reason or Interrupted("the caller"))

    def check(self) -> None:
        """Called by the session on its way through what takes long.

        Raises:
            Interrupted: the handle was stopped at a time when no requests are in flight.
        """
        if self._pending is not None:
            raise self._taken()

    @contextmanager
    def stopping(self, cancellation: Cancellation, observer: Observer) -> Iterator[None]:
        """During the block, which the event loop runs, `cancellation` is set instead."""
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
        """From here on a call has no effect: only the record is left to be written."""
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
