"""SIGINT, SIGTERM and SIGHUP end every command in an orderly way: `finally` blocks run, no half-written file is left.

The kernel drops a signal without a handler if the program is process 1, as in a container. While a session runs, it
handles them in its own way; see `llmbatch.session.signals`.
"""

import signal
from dataclasses import dataclass
from types import FrameType

from llmbatch.core.errors import ExitCode, Terminated

_EXIT_CODES = {
    signal.SIGINT: ExitCode.SIGINT,
    signal.SIGTERM: ExitCode.SIGTERM,
    signal.SIGHUP: ExitCode.SIGHUP,
}


def end_in_order_on_signals() -> None:
    """Raise `Terminated` on these signals, except those that the caller has set to be ignored (`nohup`)."""
    for number in _EXIT_CODES:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _terminate)


def hear_no_more() -> None:
    """Ignore the signals from here on: the exit code is final."""
    _state.is_over = True


def ignore_signals() -> None:
    """Make the kernel ignore them too: it would act on them once Python has removed its handlers at exit."""
    for number in _EXIT_CODES:
        signal.signal(number, signal.SIG_IGN)


@dataclass(slots=True)
class _State:
    is_over: bool = False


_state = _State()


def _terminate(number: int, _: FrameType | None) -> None:
    if not _state.is_over:
        raise Terminated(_EXIT_CODES[signal.Signals(number)])
