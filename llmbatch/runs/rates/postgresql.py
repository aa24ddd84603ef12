"""The schedules of processes on several machines, in a shared PostgreSQL database."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from llmbatch.databases import DatabaseAddress, LastingConnection
from llmbatch.engine.throttle.shared_rate import BURST_S, Taken, longest_queue_s

if TYPE_CHECKING:
    from psycopg import Connection

_TABLE = (
    "create table if not exists llmbatch_rates (name text primary key, taken_until double precision not null)"
    " with (fillfactor = 50)"
)
_TAKE = """
with clock as (select extract(epoch from clock_timestamp())::double precision as now)
insert into llmbatch_rates as rates (name, taken_until)
select %(name)s, now - %(burst)s + %(seconds)s from clock
on conflict (name) do update set taken_until = %(seconds)s + least(
    greatest(rates.taken_until, extract(epoch from clock_timestamp())::double precision - %(burst)s),
    extract(epoch from clock_timestamp())::double precision + %(queue)s
)
returning taken_until, (select now from clock)
"""


class PostgresqlRateShare:
    """A `RateShare` for processes on any machines that reach the database. Times are by its server's clock."""

    def __init__(self, address: DatabaseAddress) -> None:
        """Connect, and create the table `llmbatch_rates` if it does not exist.

        Raises:
            UsageError: there is no connection, or the server refuses the table.
        """
        self._connection = LastingConnection(
            address,
            _make_table,
            tables="the table llmbatch_rates",
            purpose="the rate store",
            hint="check the database, or name another one with --rate-store",
        )

    def take(self, limit: str, seconds: float) -> Taken:
        """See `RateShare`. A lost connection is restored."""
        values = {"name": limit, "burst": BURST_S, "queue": longest_queue_s(seconds), "seconds": seconds}
        with self._connection.use() as connection:
            row = connection.execute(_TAKE, values).fetchone()
        assert row is not None  # noqa: S101 - an insert with `returning` has one
        return Taken(row[0] - seconds, row[1])

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _make_table(connection: "Connection[tuple[Any, ...]]") -> None:
    from psycopg import errors  # noqa: PLC0415 - comes with an extra

    connection.execute("set synchronous_commit = off")  # a schedule need not survive the server
    with suppress(errors.UniqueViolation, errors.DuplicateTable):  # another process created it at the same moment
        connection.execute(_TABLE)
