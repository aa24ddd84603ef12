"""The process that works on a run folder."""

import os
import signal
from pathlib import Path


def holder(run: Path) -> int | None:
    """The process that works on a run folder, or did so last, by the folder's lock file; None where none has."""
    lock = run / ".lock"
    words = lock.read_text().split() if lock.exists() else []
    return int(words[1].rstrip(",")) if len(words) > 1 else None


def send_to_holder(run: Path, number: signal.Signals) -> None:
    """Send the command itself a signal that the process which passes others on to it cannot hear."""
    working = holder(run)
    assert working is not None
    os.kill(working, number)
