"""Watching a folder: what is in it is labelled, and again when files have come or grown, session by session."""

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
"""Without a change: some file systems report none, and an endpoint that was down may be back."""


def watched(folder: Path, label: Callable[[], int], *, settle_s: float, say: Callable[[str], None]) -> int:
    """Label a folder's files until a signal comes, or a session ends that no other can follow.

    Args:
        folder: the folder.
        label: one session over all of it; gives its exit code.
        settle_s: seconds for which no file may change before a session begins.
        say: is given a line for people.

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
    """Is set by a handler, or by what Python itself notes of each signal, whatever handles it."""

    @contextmanager
    def hears_all(self) -> Iterator[None]:
        """While the block runs."""
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
        """Whether a signal has come."""
        with suppress(BlockingIOError):
            if os.read(self._noted, 64):
                self.set()
        return super().is_set()


@contextmanager
def _stopped_by_signals() -> Iterator[Event]:
    """An event that a signal sets, also one that comes when a session is almost over and ignores it."""
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
    """Whenever the folder should be looked at: at once, after each change, and now and then without one."""
    with extra("watch", needed_by="llmbatch watch"):
        from watchfiles import watch  # noqa: PLC0415 - an extra
    yield
    looked_at = -math.inf  # what came before the watch began is seen by looking again
    for changes in watch(folder, watch_filter=None, stop_event=stop, rust_timeout=_MOMENT_MS, yield_on_timeout=True):
        if changes or time.monotonic() - looked_at > _LOOK_AGAIN_S:
            yield
            looked_at = time.monotonic()


def _settled(folder: Path, settle_s: float, stop: Event) -> Snapshot:
    """What the folder holds, once that stays as it is."""
    now = snapshot(folder)
    while not stop.wait(settle_s):
        before, now = now, snapshot(folder)
        if now == before:
            break
    return now
