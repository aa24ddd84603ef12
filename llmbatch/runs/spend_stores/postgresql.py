"""The spending of sessions on several machines, in a shared PostgreSQL database.

It keeps the invariant of `spend.store`: one advisory lock orders all changes, so none can occur between another's read
and write. A change whose response is lost may have been made: a lease that its session does not know of is charged, and
returned when the session ends or is settled.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llmbatch.core.usage import STORED, UsageTotals
from llmbatch.databases import DatabaseAddress, LastingConnection
from llmbatch.spend.book import Balance, DayTotal, SessionInfo, Settlement, granted, settled_on
from llmbatch.spend.schema import GROUPS

if TYPE_CHECKING:
    from psycopg import Connection

_AMOUNTS = (*STORED, "spent_nusd", "charged_nusd")
_LOCK = "select pg_advisory_xact_lock(hashtext('llmbatch_spend'))"
_TABLES = f"""
create table if not exists llmbatch_sessions (
    id text primary key,
    book text not null,
    run text not null,
    model text not null,
    task text not null,
    prompt text not null,
    leased boolean not null,
    started_at text not null,
    ended_at text,
    seen_at timestamptz not null default clock_timestamp()
);
create table if not exists llmbatch_spend (
    session text not null references llmbatch_sessions (id),
    day text not null,
    {", ".join(f"{name} bigint not null default 0 check ({name} >= 0)" for name in _AMOUNTS)},
    primary key (session, day)
);
create index if not exists llmbatch_spend_day on llmbatch_spend (day);
create table if not exists llmbatch_alerts (
    book text not null,
    day text not null,
    cap_nusd bigint not null,
    percent double precision not null,
    primary key (book, day, cap_nusd, percent)
)
"""
_ENTER = (
    "insert into llmbatch_sessions (id, book, run, model, task, prompt, leased, started_at)"
    " values (%s, %s, %s, %s, %s, %s, %s, %s) on conflict (id) do nothing"
)
_OF_DAY = "from llmbatch_spend join llmbatch_sessions on id = session where book = %s and day = %s"
_SILENT_S = 60
"""A session writes every two seconds; after this long without a write, nobody waits for it."""


class PostgresqlSpendBook:
    """A `SpendBook` for sessions on any machines that reach the database, with the methods of `SpendStore`.

    A session is settled by the next process that holds its run folder's lock. Until then its lease stays charged,
    however long that takes: there is no time-out that could mistake a sleeping machine for a dead one.
    """

    def __init__(self, address: DatabaseAddress) -> None:
        """Connect, and create missing tables.

        Raises:
            UsageError: there is no connection, or the server refuses the tables.
        """
        self._connection = LastingConnection(
            address,
            _make_tables,
            tables="the tables llmbatch_sessions, llmbatch_spend and llmbatch_alerts",
            purpose="the spend store",
            hint="check the database, or name another one with --spend-store",
        )

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def sign_of_life(self, session: str) -> "_LastSeen":
        """When it last wrote."""
        return _LastSeen(self, session)

    def begin_session(self, info: SessionInfo) -> "_LastSeen":
        """See `SpendBook`."""
        with self._transaction() as connection:
            _enter(connection, info)
        return self.sign_of_life(info.id)

    def hold(self, info: SessionInfo, day: str, nanousd: int, cap_nanousd: int | None) -> bool:
        """See `SpendBook`."""
        with self._transaction() as connection:
            if cap_nanousd is not None and _charged(connection, info.book, day) + nanousd > cap_nanousd:
                return False
            _enter(connection, info)
            _put(connection, info.id, day, {"charged_nusd": nanousd})
            return True

    def take(self, info: SessionInfo, day: str, cap_nanousd: int, *, need_nanousd: int, want_nanousd: int) -> int:
        """See `SpendBook`."""
        with self._transaction() as connection:
            if not _is_open(connection, info.id):
                return 0
            room = cap_nanousd - _charged(connection, info.book, day)
            lease = granted(room, need_nanousd=need_nanousd, want_nanousd=want_nanousd)
            if lease:
                connection.execute(
                    "insert into llmbatch_spend as own (session, day, charged_nusd) values (%s, %s, %s)"
                    " on conflict (session, day) do update set charged_nusd = own.charged_nusd + excluded.charged_nusd",
                    (info.id, day, lease),
                )
            return lease

    def record(
        self, session: str, balances: Mapping[str, Balance], figures: Mapping[str, UsageTotals], *, ended_at: str | None
    ) -> None:
        """See `SpendBook`."""
        with self._transaction() as connection:
            if not _is_open(connection, session):
                return
            for day, balance in balances.items():
                amounts = {"spent_nusd": balance.spent_nanousd, "charged_nusd": balance.charged_nanousd}
                _put(connection, session, day, amounts)
            for day, sums in figures.items():
                _put(connection, session, day, sums.stored())
            connection.execute(
                "update llmbatch_sessions set ended_at = %s, seen_at = clock_timestamp() where id = %s",
                (ended_at, session),
            )

    def total(self, book: str, day: str) -> DayTotal:
        """See `SpendBook`."""
        sums = f"select coalesce(sum(spent_nusd), 0)::bigint, coalesce(sum(charged_nusd), 0)::bigint {_OF_DAY}"
        rest = f"select id, charged_nusd - spent_nusd {_OF_DAY} and ended_at is null and charged_nusd > spent_nusd"
        with self._connection.use() as connection:
            spent, charged = connection.execute(sums.encode(), (book, day)).fetchone() or (0, 0)
            held = connection.execute(rest.encode(), (book, day)).fetchall()
        return DayTotal(spent, charged, dict(held))

    def open_sessions(self) -> list[tuple[str, str]]:
        """See `SpendBook`."""
        with self._connection.use() as connection:
            rows = connection.execute("select id, run from llmbatch_sessions where ended_at is null").fetchall()
        return [(session, run) for session, run in rows]

    def settle(self, session: str, settlement: Settlement, *, ended_at: str) -> None:
        """See `SpendBook`."""
        with self._transaction() as connection:
            query = "select leased, started_at from llmbatch_sessions where id = %s and ended_at is null"
            row = connection.execute(query, (session,)).fetchone()
            if row is None:
                return
            days = connection.execute(
                "select day, spent_nusd, charged_nusd from llmbatch_spend where session = %s order by day", (session,)
            ).fetchall()
            leased, started_at = row
            last, spent_nanousd = settled_on(started_at, days, settlement, leased=leased)
            _put(connection, session, last, {"spent_nusd": spent_nanousd, "charged_nusd": spent_nanousd})
            connection.execute(
                "update llmbatch_spend set spent_nusd = charged_nusd where session = %s and day < %s", (session, last)
            )
            for day, sums in settlement.figures.items():
                _put(connection, session, day, sums.stored())
            connection.execute("update llmbatch_sessions set ended_at = %s where id = %s", (ended_at, session))

    def claim_alert(self, book: str, day: str, cap_nanousd: int, percent: float) -> bool:
        """See `SpendBook`."""
        with self._transaction() as connection:
            done = connection.execute(
                "insert into llmbatch_alerts values (%s, %s, %s, %s) on conflict do nothing",
                (book, day, cap_nanousd, percent),
            )
            return done.rowcount == 1

    def sums(self, column: str, book: str, since: str, until: str) -> dict[str, UsageTotals]:
        """See `SpendRecords`."""
        sums = ", ".join(f"sum({name})::bigint" for name in STORED)
        query = (
            f"select {GROUPS[column]}, {sums} from llmbatch_spend join llmbatch_sessions on id = session"  # noqa: S608 - ours
            f" where book = %s and day between %s and %s group by 1"
        )
        with self._connection.use() as connection:
            rows = connection.execute(query.encode(), (book, since, until)).fetchall()
        return {row[0]: UsageTotals.restored(dict(zip(STORED, row[1:], strict=True))) for row in rows}

    def unsettled(self, book: str, since: str, until: str) -> list[tuple[str, str, int]]:
        """See `SpendRecords`."""
        query = (
            "select id, run, sum(greatest(charged_nusd - spent_nusd, 0))::bigint from llmbatch_spend"
            " join llmbatch_sessions on id = session"
            " where book = %s and day between %s and %s and ended_at is null group by id, run"
        )
        with self._connection.use() as connection:
            rows = connection.execute(query, (book, since, until)).fetchall()
        return [(session, run, held) for session, run, held in rows]

    def was_seen(self, session: str) -> bool:
        """Whether a session has written in the last minute, by the server's clock, and has not ended."""
        query = (
            "select count(*) from llmbatch_sessions where id = %s and ended_at is null"
            " and seen_at > clock_timestamp() - make_interval(secs => %s)"
        )
        with self._connection.use() as connection:
            row = connection.execute(query, (session, _SILENT_S)).fetchone()
        return row is not None and row[0] == 1

    @contextmanager
    def _transaction(self) -> "Iterator[Connection[tuple[Any, ...]]]":
        """An atomic, exclusive transaction."""
        with self._connection.use() as connection, connection.transaction():
            connection.execute(_LOCK)
            yield connection


def _make_tables(connection: "Connection[tuple[Any, ...]]") -> None:
    with connection.transaction():
        connection.execute(_LOCK)
        connection.execute(_TABLES.encode())


@dataclass(frozen=True, slots=True)
class _LastSeen:
    """A `SignOfLife`: a session that has written recently may be alive. Nothing proves that one is dead."""

    book: PostgresqlSpendBook = field(repr=False)
    session: str

    def take_over(self) -> bool:
        return False

    def is_held(self) -> bool:
        return self.book.was_seen(self.session)

    def release(self) -> None:
        pass

    def remove(self) -> None:
        pass


def _enter(connection: "Connection[tuple[Any, ...]]", info: SessionInfo) -> None:
    values = (info.id, info.book, info.run, info.model, info.task, info.prompt, info.leased, info.started_at)
    connection.execute(_ENTER, values)


def _is_open(connection: "Connection[tuple[Any, ...]]", session: str) -> bool:
    query = "select count(*) from llmbatch_sessions where id = %s and ended_at is null"
    row = connection.execute(query, (session,)).fetchone()
    return row is not None and row[0] == 1


def _charged(connection: "Connection[tuple[Any, ...]]", book: str, day: str) -> int:
    query = f"select coalesce(sum(charged_nusd), 0)::bigint {_OF_DAY}"
    row = connection.execute(query.encode(), (book, day)).fetchone()
    return 0 if row is None else int(row[0])


def _put(connection: "Connection[tuple[Any, ...]]", session: str, day: str, amounts: Mapping[str, int]) -> None:
    names, marks = ", ".join(amounts), ", ".join("%s" for _ in amounts)
    sets = ", ".join(f"{name} = excluded.{name}" for name in amounts)
    query = (
        f"insert into llmbatch_spend (session, day, {names}) values (%s, %s, {marks})"  # noqa: S608 - our own columns
        f" on conflict (session, day) do update set {sets}"
    )
    connection.execute(query.encode(), (session, day, *amounts.values()))
