"""Find and signal the process that works on a run folder."""

import os
import signal
from pathlib import Path


def holder(run: Path) -> int | None:
    """The current or last process that worked on a run folder, from its lock file; None if there was none."""
    lock = run / ".lock"
    words = lock.read_text().split() if lock.exists() else []
    return int(words[1].rstrip(",")) if len(words) > 1 else None


def send_to_holder(run: Path, number: signal.Signals) -> None:
    """Send the command itself a signal that the forwarding process cannot catch."""
    working = holder(run)
    assert working is not None
    os.kill(working, number)
