"""Leftovers of earlier runs: found first, removed when the user agrees. Results are never among them."""

import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

from llmbatch.cache import clear_store, count_older, default_store, store_figures
from llmbatch.core.errors import FolderBusy, StorageFailed, UsageError
from llmbatch.core.files import left_over
from llmbatch.core.places import cache_folder
from llmbatch.observe.listing import Waste
from llmbatch.runs.folder import RunFolder
from llmbatch.runs.ledger.lock import is_locked, locked
from llmbatch.runs.listing import run_paths
from llmbatch.runs.mark import belongs_to_user
from llmbatch.runs.spend_stores import parse_spend_store
from llmbatch.session.settlement import actual_spend
from llmbatch.spend.account import settle_dead

_DAY_S = 86_400
_YOUNGEST_TEMPORARY_S = _DAY_S
"""Temporary folders without a lock may be in use, but not after a day."""


def find_waste(root: Path, *, older_than_days: float) -> list[Waste]:
    """Find temporary folders, leftovers of killed sessions in run folders below `root`, dead sessions, old caches.

    Args:
        root: the folder whose run folders are examined.
        older_than_days: older cached answers and counts are leftovers.
    """
    found = [*_temporary_folders(), *_left_by_killed(root), *_dead_sessions(), *_old_caches(older_than_days)]
    return [waste for waste in found if waste.count]


def _temporary_folders() -> Iterator[Waste]:
    before = time.time() - _YOUNGEST_TEMPORARY_S
    for path in sorted(Path(tempfile.gettempdir()).glob("llmbatch-*")):
        with suppress(OSError, UsageError):
            status = path.lstat()
            is_old_folder = stat.S_ISDIR(status.st_mode) and status.st_mtime < before
            if is_old_folder and belongs_to_user(path) and not is_locked(path):
                yield Waste("temporary folder", str(path), 1, _size(path), partial(shutil.rmtree, path))


def _left_by_killed(root: Path) -> Iterator[Waste]:
    for path in run_paths(root):
        if path is None or is_locked(path) or not belongs_to_user(path):
            continue
        reserve = RunFolder(path).reserve
        files = [*left_over(path), *([reserve] if reserve.is_file() else [])]
        if files:
            size = sum(file.lstat().st_size for file in files)
            yield Waste("leftover file", str(path), len(files), size, partial(_remove_files, path, files))


def _remove_files(folder: Path, files: list[Path]) -> None:
    with suppress(FolderBusy), locked(folder):  # a session that has started since needs them
        for file in files:
            file.unlink(missing_ok=True)


def _dead_sessions() -> Iterator[Waste]:
    place = parse_spend_store(None)
    if place is None or not place.exists():
        return
    with suppress(StorageFailed, UsageError), closing(place()) as store:
        dead = [one for one in store.open_sessions() if not store.sign_of_life(one[0]).is_held()]
        settled = [session for session, run in dead if actual_spend(session, run) is not None]
        yield Waste("dead session", str(place), len(settled), 0, _settle)


def _settle() -> None:
    place = parse_spend_store(None)
    if place is not None:
        with closing(place()) as store:
            settle_dead(store, actual_spend)


def _old_caches(days: float) -> Iterator[Waste]:
    store = default_store()
    if count := count_older(store, days):
        figures = store_figures(store)
        share = figures.bytes_on_disk * count // max(figures.answers, count)
        yield Waste("cached answer", str(store), count, share, partial(clear_store, store, older_than_days=days))
    before = time.time() - days * _DAY_S
    with suppress(OSError):
        counts = [file for file in (cache_folder() / "token-counts").iterdir() if file.lstat().st_mtime < before]
        size = sum(file.lstat().st_size for file in counts)
        yield Waste("cached token count", str(cache_folder() / "token-counts"), len(counts), size, _remover(counts))


def _remover(files: list[Path]) -> Callable[[], None]:
    def remove() -> None:
        for file in files:
            file.unlink(missing_ok=True)

    return remove


def _size(folder: Path) -> int:
    return sum(file.lstat().st_size for file in folder.rglob("*") if not file.is_dir())
