"""Which process to kill."""

from pathlib import Path


def holder(run: Path) -> int | None:
    """The process that works on a run folder, or did so last, by the folder's lock file; None where none has."""
    lock = run / ".lock"
    words = lock.read_text().split() if lock.exists() else []
    return int(words[1].rstrip(",")) if len(words) > 1 else None
