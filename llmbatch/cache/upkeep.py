"""Inspecting and clearing the store for the user, with errors reported."""

from contextlib import closing, suppress
from pathlib import Path

from llmbatch.cache.store import AnswerStore, StoreFigures, StoreUnusableError
from llmbatch.core.errors import UsageError


def store_figures(path: Path) -> StoreFigures:
    """A store's statistics; zeros if there is no store.

    Raises:
        UsageError: it cannot be read.
    """
    if not path.exists():
        return StoreFigures(0, 0, None, None, {})
    try:
        store = AnswerStore(path)
        try:
            return store.figures()
        finally:
            store.close()
    except StoreUnusableError as error:
        raise UsageError(f"{path}: {error}", hint="llmbatch cache clear creates a new one") from None


def count_older(path: Path, days: float) -> int:
    """How many answers in a store are older than that many days; 0 if the store cannot be read."""
    if not path.exists():
        return 0
    with suppress(StoreUnusableError), closing(AnswerStore(path)) as store:
        return store.count_older(days)
    return 0


def clear_store(path: Path, *, older_than_days: float | None = None) -> int | None:
    """Remove a store's answers, or the older ones. A damaged store is deleted as a file.

    Returns:
        How many answers were removed; None if unknown.

    Raises:
        UsageError: the file cannot be removed, or is not an answer cache.
    """
    if not path.exists():
        return 0
    try:
        store = AnswerStore(path)
        try:
            return store.remove(older_than_days=older_than_days)
        finally:
            store.close()
    except StoreUnusableError as error:
        if older_than_days is not None or "locked" in str(error):
            raise UsageError(f"{path}: {error}", hint="try again, or clear all of it") from None
        _unlink(path)
        return None


def _unlink(path: Path) -> None:
    if path.suffix not in (".sqlite", ".db"):
        raise UsageError(f"{path}: not an answer cache, so it is left alone", hint="remove it by hand")
    try:
        for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
            path.with_name(name).unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"{path}: cannot be removed ({error.strerror})") from None
