"""SIGINT, SIGTERM and SIGHUP end every command in order: its `finally` blocks run, and no half-written file stays.

The kernel drops a signal where it has no handler and the program is process 1, as in a container. A session
handles them in its own way while it lasts; see `llmbatch.session.signals`.
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
    """Raise `Terminated` on these signals, but for those that the caller has set to be ignored (`nohup`)."""
    for number in _EXIT_CODES:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _terminate)


def hear_no_more() -> None:
    """Let the signals have no effect from here on: the exit code stands."""
    _state.is_over = True


def ignore_signals() -> None:
    """The same for the kernel, which would act on them once Python has let go of its handlers at its end."""
    for number in _EXIT_CODES:
        signal.signal(number, signal.SIG_IGN)


@dataclass(slots=True)
class _State:
    is_over: bool = False


_state = _State()


def _terminate(number: int, _: FrameType | None) -> None:
    if not _state.is_over:
        raise Terminated(_EXIT_CODES[signal.Signals(number)])
