"""SIGINT, SIGTERM and SIGHUP stop a session in an orderly way."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from llmbatch.core.errors import ExitCode, Interrupted
from llmbatch.session.stop_handle import StopHandle

EXIT_CODES = {
    signal.SIGINT: ExitCode.SIGINT,
    signal.SIGTERM: ExitCode.SIGTERM,
    signal.SIGHUP: ExitCode.SIGHUP,
}


@contextmanager
def signals_handled(handle: StopHandle) -> Iterator[None]:
    """Let the signals stop the session in the block. Outside the main thread, no signals are handled.

    Raises:
        Interrupted: anywhere in the block, unless requests are in flight.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def on_signal(number: int, _: FrameType | None) -> None:
        handle.stop(interrupted_by(signal.Signals(number)))
        handle.check()

    before = {number: signal.signal(number, on_signal) for number in _handled_numbers()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def interrupted_by(number: signal.Signals) -> Interrupted:
    """The error of a run that a signal has stopped."""
    return Interrupted(number.name, exit_code=EXIT_CODES[number])


def _handled_numbers() -> list[signal.Signals]:
    """All of them, except SIGHUP if the caller has set it to be ignored, as `nohup` does."""
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [number for number in EXIT_CODES if not (ignored and number == signal.SIGHUP)]
