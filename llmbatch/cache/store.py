"""The store of answers: one SQLite file, private to its user, shared by all runs that use it.

Write-ahead logging lets any number of runs read while one writes; answers are written in groups, one transaction each.
The file stays within its limit by evicting the least recently used answers. It contains no documents: a key is a hash.
An answer whose checksum does not match is not used: the store may lose an answer, but never alters one.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from llmbatch.core.places import cache_folder
from llmbatch.core.sqlite_store import COLUMN, DAMAGES, Schema, checksum, open_store, transaction

_SUMMED = ("key", "answered_at", "model", "answer")
"""The columns covered by an answer's checksum: all but the time of last use."""
_BUSY_S = 2.0
"""How long another process may hold the file before this one continues without it."""
_STORED_COST = "cost_nusd"
"""The name of the cost in the file, which must not change."""
_EVICTED_AT_ONCE = 1_000
_DAY_S = 86_400

_TABLES = f"""
CREATE TABLE answers (
    key BLOB PRIMARY KEY,
    answered_at INTEGER NOT NULL,
    used_at INTEGER NOT NULL,
    model TEXT NOT NULL,
    answer BLOB NOT NULL,
    {COLUMN}
) WITHOUT ROWID;
CREATE INDEX answers_by_use ON answers (used_at);
"""
_SCHEMA = Schema(
    _TABLES,
    columns={"answers": ("key", "answered_at", "used_at", "model", "answer")},
    summed={"answers": _SUMMED},
    indexes=("answers_by_use",),
    is_write_ahead=True,
)


class StoreUnusableError(Exception):
    """The file cannot be read or written, is not a store, is damaged, or is locked; the message says which."""


@dataclass(frozen=True, slots=True)
class CachedAnswer:
    """A model's accepted answer, and where it came from.

    Confidence is the raw one, in 0..1; cost is in nano-dollars.
    """

    category: str
    confidence: float
    reasoning: str | None
    parse: str | None
    model: str
    """The requested model."""
    response_model: str | None
    request_id: str | None
    run_id: str
    """The run that sent the request."""
    cost_nanousd: int | None
    """What the row cost in that run; None if the price is unknown."""
    confidence_from: str = "reported"
    runner_up: str | None = None
    confidences: Mapping[str, float] | None = None
    """Confidence by field and label, if the task takes more than one label."""


@dataclass(frozen=True, slots=True)
class StoreFigures:
    """Statistics of a store. Times are in seconds since 1970."""

    answers: int
    bytes_on_disk: int
    oldest: int | None
    newest: int | None
    by_model: Mapping[str, int]

    def as_json(self, path: Path) -> dict[str, Any]:
        """The figures as `--json` prints them."""
        return {"store": str(path), **asdict(self)}


def default_store() -> Path:
    """The default location of the store, in the user's cache folder."""
    return cache_folder() / "answers.sqlite"


class AnswerStore:
    """An open store. Its methods block, so they are called off the event loop; any thread may."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        """Open or create the store at `path`.

        Raises:
            StoreUnusableError: the file cannot be used.
            UsageError: the path is not a file of the user's own.
        """
        self.path = path
        self._clock = clock
        self._lock = threading.Lock()
        with _explained():
            self._connection = open_store(path, _SCHEMA, busy_s=_BUSY_S)

    def look_up(self, keys: Collection[bytes], *, max_age_days: float | None = None) -> dict[bytes, CachedAnswer]:
        """Look up the stored answers for these keys, except those older than `max_age_days`.

        Raises:
            StoreUnusableError: the file can no longer be read.
        """
        since = 0 if max_age_days is None else int(self._clock() - max_age_days * _DAY_S)
        marks = ",".join("?" * len(keys))
        query = f"SELECT {', '.join(_SUMMED)}, checksum FROM answers WHERE answered_at >= ? AND key IN ({marks})"  # noqa: S608 - marks only
        with self._lock, _explained():
            found = self._connection.execute(query, (since, *keys)).fetchall()
        return {
            row[0]: answer
            for *row, sum_ in found
            if checksum(*row) == sum_ and (answer := _loaded(row[-1])) is not None
        }

    def add(self, answers: Mapping[bytes, CachedAnswer], *, used: Iterable[bytes] = (), limit_bytes: int) -> None:
        """Store answers, and record which others were used, since the least recently used are evicted first.

        Args:
            answers: by key; later ones replace earlier ones.
            used: keys that were looked up and found.
            limit_bytes: maximum size of the store on disk.

        Raises:
            StoreUnusableError: the file can no longer be written.
        """
        now = int(self._clock())
        rows = [_row(key, now, answer) for key, answer in answers.items()]
        with self._writing() as connection:
            connection.executemany("UPDATE answers SET used_at = ? WHERE key = ?", [(now, key) for key in used])
            connection.executemany("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?)", rows)
            while self._bytes_in_use() > limit_bytes and self._evict():
                pass

    def remove(self, *, older_than_days: float | None = None) -> int:
        """Remove all answers, or the older ones, and shrink the file. Returns the number of answers removed.

        Raises:
            StoreUnusableError: the file cannot be written.
        """
        before = 2**62 if older_than_days is None else int(self._clock() - older_than_days * _DAY_S)
        with self._writing() as connection:
            removed: int = connection.execute("DELETE FROM answers WHERE answered_at <= ?", (before,)).rowcount
        with self._lock, _explained():
            self._connection.execute("VACUUM")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return removed

    def count_older(self, days: float) -> int:
        """How many answers are older than that many days.

        Raises:
            StoreUnusableError: the file cannot be read.
        """
        before = int(self._clock() - days * _DAY_S)
        with self._lock, _explained():
            found: int = self._connection.execute(
                "SELECT count(*) FROM answers WHERE answered_at <= ?", (before,)
            ).fetchone()[0]
        return found

    def figures(self) -> StoreFigures:
        """Compute the store's statistics.

        Raises:
            StoreUnusableError: the file cannot be read.
        """
        whole = f"checksum = row_checksum({', '.join(_SUMMED)})"
        with self._lock, _explained():
            count, oldest, newest = self._connection.execute(
                f"SELECT count(*), min(answered_at), max(answered_at) FROM answers WHERE {whole}"  # noqa: S608
            ).fetchone()
            by_model = self._connection.execute(
                f"SELECT model, count(*) FROM answers WHERE {whole} GROUP BY model ORDER BY 2 DESC"  # noqa: S608
            )
            return StoreFigures(count, _size_on_disk(self.path), oldest, newest, dict(by_model))

    def close(self) -> None:
        """Close the file."""
        with self._lock, suppress(sqlite3.Error):
            self._connection.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, _explained(), transaction(self._connection):
            yield self._connection

    def _bytes_in_use(self) -> int:
        pages, free, size = (
            self._connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)

    def _evict(self) -> int:
        oldest = "SELECT key FROM answers ORDER BY used_at LIMIT ?"
        evicted = self._connection.execute(f"DELETE FROM answers WHERE key IN ({oldest})", (_EVICTED_AT_ONCE,))  # noqa: S608
        return evicted.rowcount


@contextmanager
def _explained() -> Iterator[None]:
    """Convert errors from SQLite and the file system to StoreUnusableError."""
    try:
        yield
    except (*DAMAGES, OSError) as error:
        raise StoreUnusableError(error.strerror or str(error) if isinstance(error, OSError) else str(error)) from error


def _row(key: bytes, now: int, answer: CachedAnswer) -> tuple[object, ...]:
    data = asdict(answer)
    if data["confidences"] is None:  # the format of earlier versions
        del data["confidences"]
    data[_STORED_COST] = data.pop("cost_nanousd")
    raw = orjson.dumps(data)
    return key, now, now, answer.model, raw, checksum(key, now, answer.model, raw)


def _size_on_disk(path: Path) -> int:
    beside = (path, path.with_name(f"{path.name}-wal"))
    return sum(file.stat().st_size for file in beside if file.exists())


def _loaded(raw: bytes) -> CachedAnswer | None:
    try:
        data = orjson.loads(raw)
        cost_nanousd = data.pop(_STORED_COST)
        return CachedAnswer(**data, cost_nanousd=cost_nanousd)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
