"""The schedules of processes on several machines, in a PostgreSQL database that they share."""

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from llmbatch.core.errors import StorageFailed, UsageError
from llmbatch.databases import DatabaseAddress, connected
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
        """Connect, and make the table `llmbatch_rates` where there is none.

        Raises:
            UsageError: there is no connection, or the server refuses the table.
        """
        self._address = address
        self._lock = threading.Lock()
        self._open = ExitStack()
        self._connection: Connection[tuple[Any, ...]] | None = None
        self._connect()

    def take(self, limit: str, seconds: float) -> Taken:
        """As `RateShare` has it. A lost connection is made again."""
        from psycopg import Error  # noqa: PLC0415 - comes with an extra

        with self._lock:
            try:
                connection = self._connection or self._connect()
                queue_s = longest_queue_s(seconds)
                values = {"name": limit, "burst": BURST_S, "queue": queue_s, "seconds": seconds}
                row = connection.execute(_TAKE, values).fetchone()
            except UsageError as error:
                raise StorageFailed(error.message, hint=error.hint) from error
            except Error as error:
                self._close()
                raise StorageFailed(f"{self._address.name}: {' '.join(str(error).split())}") from error
        assert row is not None  # noqa: S101 - an insert with `returning` has one
        return Taken(row[0] - seconds, row[1])

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._close()

    def _connect(self) -> "Connection[tuple[Any, ...]]":
        connection = self._open.enter_context(connected(self._address))
        from psycopg import Error, errors  # noqa: PLC0415 - comes with an extra

        connection.autocommit = True
        try:
            connection.execute("set synchronous_commit = off")  # a schedule need not survive the server
            connection.execute(_TABLE)
        except (errors.UniqueViolation, errors.DuplicateTable):
            pass  # another process has made it in the same moment
        except Error as error:
            self._close()
            raise UsageError(
                f"{self._address.name}: cannot make the table llmbatch_rates: {' '.join(str(error).split())}",
                hint="grant CREATE on its schema, or make it once by hand",
            ) from None
        self._connection = connection
        return connection

    def _close(self) -> None:
        self._connection = None
        self._open.close()
