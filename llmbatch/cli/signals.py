"""SIGINT, SIGTERM and SIGHUP end every command in order: its `finally` blocks run, and no half-written file stays.

The kernel drops a signal where it has no handler and the program is process 1, as in a container. A session
handles them in its own way while it lasts; see `llmbatch.pipeline.signals`.
"""

import signal
from types import FrameType

from llmbatch.errors import ExitCode, Terminated

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


def _terminate(number: int, _: FrameType | None) -> None:
    raise Terminated(_EXIT_CODES[signal.Signals(number)])
