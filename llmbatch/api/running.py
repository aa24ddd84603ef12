"""A run in a separate thread, and a caller that waits for it: blocking, or in its event loop.

The caller may already have a running loop (in a notebook or a server), in which the run's loop could not run. However
the wait ends, by an interrupt, a signal handler that raises, a cancelled task or a time-out, the run is first stopped
in an orderly way.
"""

import asyncio
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from llmbatch.api.progress import Shown
from llmbatch.api.result import Run
from llmbatch.api.signals import Waiting, main_thread_signals
from llmbatch.core.errors import LLMBatchError
from llmbatch.session.signals import EXIT_CODES
from llmbatch.session.stop_handle import StopHandle

_SECOND_CANCEL_S = 1.0
"""Another cancellation before this time is the same one, delivered again, as anyio does."""

Work = Callable[[], Run]


def run_and_wait(work: Work, handle: StopHandle, shown: Shown) -> Run:
    """Do the work, and block until it is done.

    Args:
        work: the run, which `handle` stops.
        handle: stopped when the wait is interrupted.
        shown: shows progress in this thread.

    Raises:
        BaseException: what the work raised; or what interrupted the wait, after an orderly end of the run.
    """
    done = threading.Event()
    thread = _Thread(work, done.set)
    interrupt: BaseException | None = None
    with main_thread_signals.stopping(handle) as waiting:
        try:
            thread.start()
            while not done.is_set():
                try:
                    done.wait(shown.every_s)
                    shown.show()
                except BaseException as error:  # noqa: BLE001 - raised once the run has ended
                    interrupt = interrupt or error
                    handle.stop()
            return thread.outcome(interrupt, waiting)
        finally:
            thread.abandon(handle)


async def run_and_await(work: Work, handle: StopHandle, shown: Shown) -> Run:
    """Like `run_and_wait`, while the caller's event loop continues."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()
    thread = _Thread(work, lambda: _set_from_thread(loop, done))
    interrupt: BaseException | None = None
    stopped_at = float("-inf")
    with main_thread_signals.stopping(handle) as waiting:
        try:
            thread.start()
            while not done.done():
                try:
                    await asyncio.wait({done}, timeout=shown.every_s)
                    shown.show()
                except asyncio.CancelledError as error:
                    interrupt = interrupt or error
                    if time.monotonic() - stopped_at > _SECOND_CANCEL_S:
                        stopped_at = time.monotonic()
                        handle.stop()
            return thread.outcome(interrupt, waiting)
        finally:
            thread.abandon(handle)


class _Thread(threading.Thread):
    """Does the work; `on_end` is called at its end, in this thread."""

    def __init__(self, work: Work, on_end: Callable[[], object]) -> None:
        super().__init__(name="llmbatch-run")
        self._work = work
        self._on_end = on_end
        self._run: Run | None = None
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._run = self._work()
        except BaseException as error:  # noqa: BLE001 - raised again by the caller's thread
            self._error = error
        finally:
            self._on_end()

    def outcome(self, interrupt: BaseException | None, waiting: Waiting) -> Run:
        """What the work returned or raised; an interrupt takes precedence."""
        self.join()
        error, self._error = self._error, None
        if interrupt is not None:
            raise interrupt
        if waiting.received is not None:
            raise _raised_for(waiting.received, error) from None
        if error is not None:
            raise error
        assert self._run is not None  # noqa: S101 - the work has ended
        return self._run

    def abandon(self, handle: StopHandle) -> None:
        """Stop work that has not ended, since nobody waits for it any more; also when the caller's loop is closed."""
        if self.is_alive():
            handle.stop()


def _raised_for(number: signal.Signals, error: BaseException | None) -> BaseException:
    """The exception that Python raises at Ctrl-C, or one that ends the process with the code of another signal."""
    if number != signal.SIGINT:
        return SystemExit(int(EXIT_CODES[number]))
    kept = error.hint if isinstance(error, LLMBatchError) else None
    return KeyboardInterrupt(*([] if kept is None else [kept]))


def _set_from_thread(loop: asyncio.AbstractEventLoop, done: "asyncio.Future[None]") -> None:
    def set_done() -> None:
        if not done.done():
            done.set_result(None)

    with suppress(RuntimeError):  # the loop is already closed
        loop.call_soon_threadsafe(set_done)
