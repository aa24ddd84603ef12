"""Watches a folder: labels its files, and again when files are added or grow, session by session."""

import math
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event

from llmbatch.core.errors import ExitCode
from llmbatch.core.extras import extra
from llmbatch.readers import Snapshot, snapshot

_GO_ON = frozenset({ExitCode.OK, ExitCode.ROWS_FAILED, ExitCode.LATER})
_MOMENT_MS = 200
_LOOK_AGAIN_S = 60.0
"""Interval without changes: some file systems report none, and an endpoint that was down may be back."""


def watched(folder: Path, label: Callable[[], int], *, settle_s: float, say: Callable[[str], None]) -> int:
    """Label a folder's files until a signal arrives, or a session ends after which none can follow.

    Args:
        folder: the folder.
        label: runs one session over all files; returns its exit code.
        settle_s: seconds without any change of a file before a session begins.
        say: called with a line for people.

    Returns:
        The exit code of the last session.

    Raises:
        UsageError: the extra `watch` is not installed.
    """
    code, done = int(ExitCode.OK), Snapshot()
    with _stopped_by_signals() as stop:
        for _ in _occasions(folder, stop):
            now = _settled(folder, settle_s, stop)
            if stop.is_set():
                break
            if now.files and (now != done or code == ExitCode.LATER):
                code, done = label(), now
                if code not in _GO_ON:
                    return code
                if stop.is_set():
                    break
                say(f"watching {folder} for new files; press Ctrl-C to stop")
    say(f"no longer watching {folder}")
    return code


class _SignalEvent(Event):
    """Set by a handler, or by Python's own record of each signal, whatever handles it."""

    @contextmanager
    def hears_all(self) -> Iterator[None]:
        """During the block, record all signals."""
        self._noted, noting = os.pipe()
        for end in (self._noted, noting):
            os.set_blocking(end, False)
        before = signal.set_wakeup_fd(noting, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            os.close(self._noted)
            os.close(noting)

    def is_set(self) -> bool:
        """Whether a signal has arrived."""
        with suppress(BlockingIOError):
            if os.read(self._noted, 64):
                self.set()
        return super().is_set()


@contextmanager
def _stopped_by_signals() -> Iterator[Event]:
    """An event that a signal sets, even one that arrives when a session is almost over and ignores it."""
    stop = _SignalEvent()
    before = {
        number: signal.signal(number, lambda *_: stop.set())
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        with stop.hears_all():
            yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _occasions(folder: Path, stop: Event) -> Iterator[None]:
    """Yields whenever the folder should be examined: immediately, after each change, and from time to time."""
    with extra("watch", needed_by="llmbatch watch"):
        from watchfiles import watch  # noqa: PLC0415 - an extra
    yield
    looked_at = -math.inf  # examining the folder again finds what arrived before the watch began
    for changes in watch(folder, watch_filter=None, stop_event=stop, rust_timeout=_MOMENT_MS, yield_on_timeout=True):
        if changes or time.monotonic() - looked_at > _LOOK_AGAIN_S:
            yield
            looked_at = time.monotonic()


def _settled(folder: Path, settle_s: float, stop: Event) -> Snapshot:
    """The folder's content, once it no longer changes."""
    now = snapshot(folder)
    while not stop.wait(settle_s):
        before, now = now, snapshot(folder)
        if now == before:
            break
    return now
