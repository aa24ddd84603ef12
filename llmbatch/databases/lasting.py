"""A connection that lasts as long as a process, for data that processes share in a PostgreSQL database."""

import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from llmbatch.core.errors import StorageFailed, UsageError
from llmbatch.databases.address import DatabaseAddress
from llmbatch.databases.postgresql import connected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from psycopg import Connection


class LastingConnection:
    """A connection for one thread at a time. A lost one is reopened by the next use after the one that fails."""

    def __init__(
        self,
        address: DatabaseAddress,
        make_tables: "Callable[[Connection[tuple[Any, ...]]], None]",
        *,
        tables: str,
        purpose: str,
        hint: str,
    ) -> None:
        """Connect, with each statement in its own transaction, and create missing tables.

        Args:
            address: of the database.
            make_tables: creates them; called after each connection.
            tables: their names, for messages.
            purpose: the purpose of the connection, for messages: `the spend store`.
            hint: what to do if the database is unreachable, or refuses a statement.

        Raises:
            UsageError: there is no connection, or the server refuses the tables.
        """
        self._address = address
        self._make_tables = make_tables
        self._tables, self._purpose, self._hint = tables, purpose, hint
        self._lock = threading.Lock()
        self._open = ExitStack()
        self._connection: Connection[tuple[Any, ...]] | None = None
        self._connect()

    @contextmanager
    def use(self) -> "Iterator[Connection[tuple[Any, ...]]]":
        """The connection, while no other thread has it.

        Raises:
            StorageFailed: it is lost and cannot be restored, or the server refuses a statement.
        """
        from psycopg import Error  # noqa: PLC0415 - comes with an extra

        with self._lock:
            try:
                yield self._connection or self._connect()
            except UsageError as error:
                raise StorageFailed(error.message, hint=error.hint) from error
            except Error as error:
                self._close()
                message = f"{self._address.name}: {self._purpose} cannot be used ({_in_a_line(error)})"
                raise StorageFailed(message, hint=self._hint) from error

    def close(self) -> None:
        """Close it."""
        with self._lock:
            self._close()

    def _connect(self) -> "Connection[tuple[Any, ...]]":
        connection = self._open.enter_context(connected(self._address))
        from psycopg import Error  # noqa: PLC0415 - comes with an extra

        connection.autocommit = True
        try:
            self._make_tables(connection)
        except Error as error:
            self._close()
            raise UsageError(
                f"{self._address.name}: cannot make {self._tables}: {_in_a_line(error)}",
                hint="grant CREATE on its schema, or create what is missing once by hand",
            ) from None
        self._connection = connection
        return connection

    def _close(self) -> None:
        self._connection = None
        self._open.close()


def _in_a_line(error: Exception) -> str:
    return " ".join(str(error).split())
