"""Signals that arrive in the main thread while a call of the API waits there."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from llmbatch.session.signals import EXIT_CODES, interrupted_by
from llmbatch.session.stop_handle import StopHandle


class Waiting:
    """A run that is being waited for; `received` is the first signal that arrived meanwhile."""

    def __init__(self, handle: StopHandle) -> None:
        self.handle = handle
        self.received: signal.Signals | None = None


class MainThreadSignals:
    """Stops the runs of the main thread at SIGINT, SIGTERM and SIGHUP. There is one instance per process.

    Only the default handling of Python and the system is replaced, and only during a run: the program's own handlers,
    such as those of a server or a task queue, are kept.
    """

    def __init__(self) -> None:
        self._waiting: list[Waiting] = []
        self._before: dict[signal.Signals, Any] = {}

    @contextmanager
    def stopping(self, handle: StopHandle) -> Iterator[Waiting]:
        """During the block, signals stop this run. They arrive only in the main thread."""
        waiting = Waiting(handle)
        if threading.current_thread() is not threading.main_thread():
            yield waiting
            return
        if not self._waiting:
            self._before = {number: signal.signal(number, self._on_signal) for number in _by_default()}
        self._waiting.append(waiting)
        try:
            yield waiting
        finally:
            self._waiting.remove(waiting)
            if not self._waiting:
                self._restore()

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        for waiting in self._waiting:
            waiting.received = waiting.received or signal.Signals(number)
            waiting.handle.stop(interrupted_by(signal.Signals(number)))

    def _restore(self) -> None:
        for number, handler in self._before.items():
            if signal.getsignal(number) == self._on_signal:  # the program has not set another one meanwhile
                signal.signal(number, handler)


def _by_default() -> list[signal.Signals]:
    """The signals for which the program has no handler of its own."""
    return [number for number in EXIT_CODES if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler)]


main_thread_signals = MainThreadSignals()
