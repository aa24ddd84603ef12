"""SIGINT, SIGTERM and SIGHUP during a session: what they do depends on what the session is at."""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from llmbatch.errors import ExitCode, Interrupted
from llmbatch.events import SignalReceived
from llmbatch.observer import Observer
from llmbatch.pipeline.stop import Stop

_EXIT_CODES = {
    signal.SIGINT: ExitCode.SIGINT,
    signal.SIGTERM: ExitCode.SIGTERM,
    signal.SIGHUP: ExitCode.SIGHUP,
}


class Signals:
    """Handles these signals while a session lasts.

    While rows are asked, the first signal stops the run in order and a second one gives up what is under way. At any
    other time (the ledger is being read, the views are being made) a signal ends what is being done at once. That
    loses nothing: the ledger is only ever appended to, and other files are replaced whole.
    """

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._act: Callable[[signal.Signals], None] = _raise

    @contextmanager
    def handled(self) -> Iterator[None]:
        """Handle the signals during the block. In a notebook's threads they stay the notebook's own.

        Raises:
            Interrupted: in the block, wherever it stands.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def on_signal(number: int, _: FrameType | None) -> None:
            self._act(signal.Signals(number))

        before = {number: signal.signal(number, on_signal) for number in _handled_numbers()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def stopping(self, stop: Stop) -> Iterator[None]:
        """During the block, which the event loop runs, signals stop the run instead."""
        loop = asyncio.get_running_loop()

        def soon(number: signal.Signals) -> None:
            loop.call_soon_threadsafe(self._stop, stop, number)

        self._act = soon
        try:
            yield
        finally:
            self._act = _raise

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """During the block, which is short, signals are of no effect: all is done but for writing it down."""
        self._act = lambda _: None
        try:
            yield
        finally:
            self._act = _raise

    def _stop(self, stop: Stop, number: signal.Signals) -> None:
        if stop.is_set:
            stop.hurry()
            return
        self._observer.tell(SignalReceived(number.name))
        stop.set(_interrupted(number))


def _handled_numbers() -> list[signal.Signals]:
    """All of them, but for a hang-up that the caller has set to be ignored: that is what `nohup` does."""
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [number for number in _EXIT_CODES if not (ignored and number == signal.SIGHUP)]


def _interrupted(number: signal.Signals) -> Interrupted:
    return Interrupted(f"interrupted by {number.name}", exit_code=_EXIT_CODES[number])


def _raise(number: signal.Signals) -> None:
    raise _interrupted(number)
