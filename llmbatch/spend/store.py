"""The spend store: what every session has spent and reserved, by day, in one SQLite file shared by all processes.

The invariant, at every commit: over all sessions of a book and a day, `charged_nanousd` is at least what they spent,
may have spent, and may still spend without asking again. A session under a daily budget raises its own charge only
within the cap, in a transaction that excludes all others; so the cap holds with any number of processes, and a process
that dies leaves a charge that is too high, never one that is too low.

Each change is one `BEGIN IMMEDIATE` transaction, synced when it commits. Each row has a checksum; a store is checked as
a whole when it is opened, and a damaged one is not used.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from llmbatch.core.errors import StorageFailed
from llmbatch.core.places import state_folder
from llmbatch.core.sqlite_store import DAMAGES, check_rows, open_store, seal_rows, transaction
from llmbatch.core.usage import STORED, UsageTotals
from llmbatch.spend.book import Balance, DayTotal, SessionInfo, Settlement, granted, settled_on
from llmbatch.spend.liveness import SessionLock
from llmbatch.spend.schema import GROUPS, SCHEMA

_BUSY_TIMEOUT_S = 10.0


def default_store() -> Path:
    """The user's default store, in the state folder (on Linux `~/.local/state/llmbatch`)."""
    return state_folder() / "spend.sqlite3"


class SpendStore:
    """A `SpendBook` for one machine. Its methods block for milliseconds, and can be called from any thread.

    All raise StorageFailed if the store cannot be read or written.
    """

    _hint = "free it (or move it away; a new one starts at zero), or use another one with --spend-store"

    def __init__(self, path: Path, *, busy_timeout_s: float = _BUSY_TIMEOUT_S, is_synced: bool = True) -> None:
        """Open the store, creating an empty one, private to the user, if there is none.

        Args:
            path: the file.
            busy_timeout_s: how long to wait for other processes' changes.
            is_synced: whether it survives a power cut; not needed if it is discarded with its process.

        Raises:
            UsageError: the path is not a file of the user's own.
        """
        self.path = path
        self._lock = threading.Lock()
        with self._telling():
            self._db = open_store(path, SCHEMA, busy_s=busy_timeout_s)
            try:
                check_rows(self._db, SCHEMA.summed)
                if not is_synced:
                    self._db.execute("PRAGMA synchronous = OFF")
            except BaseException:
                self._db.close()
                raise

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def clear(self) -> None:
        """Forget all sessions, and remove the locks of those that did not end in order."""
        for session, _ in self.open_sessions():
            self.sign_of_life(session).remove()
        with self._transaction():
            self._db.execute("DELETE FROM spend")
            self._db.execute("DELETE FROM session")
            self._db.execute("DELETE FROM alert")

    def sign_of_life(self, session: str) -> SessionLock:
        """A lock, which the session's process holds."""
        return SessionLock(self.path.with_name(f"{self.path.name}.sessions"), session)

    def begin_session(self, info: SessionInfo) -> SessionLock:
        """See `SpendBook`."""
        lock = self.sign_of_life(info.id)
        with self._telling():
            lock.take()
        try:
            with self._transaction():
                self._enter(info)
        except StorageFailed:
            lock.remove()
            raise
        return lock

    def hold(self, info: SessionInfo, day: str, nanousd: int, cap_nanousd: int | None) -> bool:
        """See `SpendBook`."""
        with self._transaction():
            if cap_nanousd is not None and self._charged(info.book, day) + nanousd > cap_nanousd:
                return False
            self._enter(info)
            self._put(info.id, day, {"charged_nusd": nanousd})
            return True

    def take(self, info: SessionInfo, day: str, cap_nanousd: int, *, need_nanousd: int, want_nanousd: int) -> int:
        """See `SpendBook`."""
        with self._transaction():
            charged, ended = self._db.execute(
                "SELECT coalesce(sum(charged_nusd), 0), (SELECT ended_at FROM session WHERE id = ?)"
                " FROM spend JOIN session ON id = session WHERE book = ? AND day = ?",
                (info.id, info.book, day),
            ).fetchone()
            if ended is not None:
                return 0
            lease = granted(cap_nanousd - charged, need_nanousd=need_nanousd, want_nanousd=want_nanousd)
            if not lease:
                return 0
            self._db.execute(
                "INSERT INTO spend (session, day, charged_nusd) VALUES (?, ?, ?)"
                " ON CONFLICT (session, day) DO UPDATE SET charged_nusd = charged_nusd + excluded.charged_nusd",
                (info.id, day, lease),
            )
            self._seal("spend", "session = ? AND day = ?", info.id, day)
            return lease

    def record(
        self, session: str, balances: Mapping[str, Balance], figures: Mapping[str, UsageTotals], *, ended_at: str | None
    ) -> None:
        """See `SpendBook`."""
        with self._transaction():
            going_on = "SELECT count(*) FROM session WHERE id = ? AND ended_at IS NULL"
            if not self._db.execute(going_on, (session,)).fetchone()[0]:
                return  # a late record of a session that has already ended
            for day, balance in balances.items():
                self._put(session, day, {"spent_nusd": balance.spent_nanousd, "charged_nusd": balance.charged_nanousd})
            for day, sums in figures.items():
                self._put(session, day, sums.stored())
            if ended_at is not None:
                self._end(session, ended_at)

    def total(self, book: str, day: str) -> DayTotal:
        """See `SpendBook`."""
        with self._reading():
            spent, charged = self._db.execute(
                "SELECT coalesce(sum(spent_nusd), 0), coalesce(sum(charged_nusd), 0)"
                " FROM spend JOIN session ON id = session WHERE book = ? AND day = ?",
                (book, day),
            ).fetchone()
            held = self._db.execute(
                "SELECT id, charged_nusd - spent_nusd FROM spend JOIN session ON id = session"
                " WHERE book = ? AND day = ? AND ended_at IS NULL AND charged_nusd > spent_nusd",
                (book, day),
            ).fetchall()
        return DayTotal(spent, charged, dict(held))

    def open_sessions(self) -> list[tuple[str, str]]:
        """See `SpendBook`."""
        with self._reading():
            return self._db.execute("SELECT id, run FROM session WHERE ended_at IS NULL").fetchall()

    def sums(self, column: str, book: str, since: str, until: str) -> dict[str, UsageTotals]:
        """See `SpendRecords`."""
        name = GROUPS[column]
        sums = ", ".join(f"sum({field})" for field in STORED)
        with self._reading():
            lines = self._db.execute(
                f"SELECT {name}, {sums} FROM spend JOIN session ON id = session"  # noqa: S608 - our own columns
                f" WHERE book = ? AND day BETWEEN ? AND ? GROUP BY {name}",
                (book, since, until),
            ).fetchall()
        return {line[0]: UsageTotals.restored(dict(zip(STORED, line[1:], strict=True))) for line in lines}

    def unsettled(self, book: str, since: str, until: str) -> list[tuple[str, str, int]]:
        """See `SpendRecords`."""
        with self._reading():
            return self._db.execute(
                "SELECT id, run, sum(max(charged_nusd - spent_nusd, 0)) FROM spend JOIN session ON id = session"
                " WHERE book = ? AND day BETWEEN ? AND ? AND ended_at IS NULL GROUP BY id",
                (book, since, until),
            ).fetchall()

    def settle(self, session: str, settlement: Settlement, *, ended_at: str) -> None:
        """See `SpendBook`."""
        with self._transaction():
            row = self._db.execute(
                "SELECT leased, started_at FROM session WHERE id = ? AND ended_at IS NULL", (session,)
            ).fetchone()
            if row is None:
                return
            leased, started_at = row
            days = self._db.execute(
                "SELECT day, spent_nusd, charged_nusd FROM spend WHERE session = ? ORDER BY day", (session,)
            ).fetchall()
            last, rest = settled_on(started_at, days, settlement, leased=leased)
            self._put(session, last, {"spent_nusd": rest, "charged_nusd": rest})
            self._db.execute(
                "UPDATE spend SET spent_nusd = charged_nusd WHERE session = ? AND day < ?", (session, last)
            )
            for day, sums in settlement.figures.items():
                self._put(session, day, sums.stored())
            self._seal("spend", "session = ?", session)
            self._end(session, ended_at)

    def claim_alert(self, book: str, day: str, cap_nanousd: int, percent: float) -> bool:
        """See `SpendBook`."""
        with self._transaction():
            done = self._db.execute(
                "INSERT OR IGNORE INTO alert (book, day, cap_nusd, percent) VALUES (?, ?, ?, ?)",
                (book, day, cap_nanousd, percent),
            )
            self._seal("alert", "book = ? AND day = ?", book, day)
            return done.rowcount == 1

    def _enter(self, info: SessionInfo) -> None:
        self._db.execute(
            "INSERT INTO session (id, book, run, model, task, prompt, leased, started_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (info.id, info.book, info.run, info.model, info.task, info.prompt, info.leased, info.started_at),
        )
        self._seal("session", "id = ?", info.id)

    def _charged(self, book: str, day: str) -> int:
        sums = (
            "SELECT coalesce(sum(charged_nusd), 0) FROM spend JOIN session ON id = session WHERE book = ? AND day = ?"
        )
        charged: int = self._db.execute(sums, (book, day)).fetchone()[0]
        return charged

    def _seal(self, table: str, where: str, *values: object) -> None:
        seal_rows(self._db, table, SCHEMA.summed[table], where, values)

    def _put(self, session: str, day: str, values: Mapping[str, int]) -> None:
        names = ", ".join(values)
        marks = ", ".join("?" for _ in values)
        sets = ", ".join(f"{name} = excluded.{name}" for name in values)
        self._db.execute(
            f"INSERT INTO spend (session, day, {names}) VALUES (?, ?, {marks})"  # noqa: S608 - our own columns
            f" ON CONFLICT (session, day) DO UPDATE SET {sets}",
            (session, day, *values.values()),
        )
        self._seal("spend", "session = ? AND day = ?", session, day)

    def _end(self, session: str, ended_at: str) -> None:
        self._db.execute("UPDATE session SET ended_at = ? WHERE id = ?", (ended_at, session))
        self._seal("session", "id = ?", session)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._reading(), transaction(self._db):
            yield

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with self._lock, self._telling():
            yield

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except (*DAMAGES, OSError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise StorageFailed(
                f"{self.path}: the spend store cannot be used ({why})",
                hint=self._hint,
            ) from error
