"""The schedules of one machine's processes, in a shared SQLite file."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from llmbatch.core.errors import StorageFailed
from llmbatch.core.sqlite_store import DAMAGES, Schema, open_store
from llmbatch.engine.throttle.shared_rate import BURST_S, Taken, longest_queue_s

if TYPE_CHECKING:
    import sqlite3

_BUSY_S = 5.0
_SCHEMA = Schema(
    "CREATE TABLE schedule (name TEXT PRIMARY KEY, taken_until REAL NOT NULL) WITHOUT ROWID",
    columns={},
    summed={},
    indexes=(),
    is_write_ahead=True,
)
_TAKE = (
    "INSERT INTO schedule (name, taken_until) VALUES (:name, :now - :burst + :seconds)"
    " ON CONFLICT (name) DO UPDATE SET taken_until = min(max(taken_until, :now - :burst), :now + :queue) + :seconds"
    " RETURNING taken_until"
)
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class SqliteRateShare:
    """A `RateShare` for a user's processes on one machine. The file is opened when it is first needed."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock`: seconds since this machine was started, which are the same for all its processes."""
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None

    def take(self, limit: str, seconds: float) -> Taken:
        """See `RateShare`."""
        try:
            with self._lock:
                if self._db is None:
                    self._db = open_store(self._path, _SCHEMA, busy_s=_BUSY_S)
                now = self._clock()
                values = {
                    "name": f"{_boot()} {limit}",
                    "now": now,
                    "burst": BURST_S,
                    "queue": longest_queue_s(seconds),
                    "seconds": seconds,
                }
                (taken_until,) = self._db.execute(_TAKE, values).fetchone()
                return Taken(taken_until - seconds, now)
        except (*DAMAGES, OSError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise StorageFailed(
                f"{self._path}: the rate store cannot be used ({why})",
                hint="unlock it or move it away, or name another one with --rate-store",
            ) from error

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None


def _boot() -> str:
    """The machine's boot, to distinguish a schedule from before a restart."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""
