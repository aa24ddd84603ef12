"""PostgreSQL, with psycopg (extra `sql`)."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from llmbatch.core.errors import UsageError
from llmbatch.core.extras import extra
from llmbatch.databases.address import DatabaseAddress
from llmbatch.databases.query import FIRST_ROWS, QueryResult, only_reads, query_failed, rows_at_once

if TYPE_CHECKING:
    from psycopg import Connection, Error

_CONNECT_TIMEOUT_S = 30
_FATAL = 7
"""libpq's `PGRES_FATAL_ERROR`."""
_AS_WRITTEN = """
set local datestyle = 'ISO';
set local intervalstyle = 'iso_8601';
set local bytea_output = 'hex';
set local extra_float_digits = 1
"""
"""Settings for the text form of values. Those that affect the meaning of a query, like the time zone, are unchanged."""
_TABLES = """
select case when table_schema = 'public' then quote_ident(table_name)
    else quote_ident(table_schema) || '.' || quote_ident(table_name) end
from information_schema.tables
where table_schema not in ('pg_catalog', 'information_schema')
order by table_schema <> 'public', 1
"""


@contextmanager
def query_postgresql(address: DatabaseAddress, query: str) -> Iterator[QueryResult]:
    """The rows of a query, all in their state when it begins, in a transaction that cannot write.

    Raises:
        UsageError: there is no connection, or the server refuses the query; also while rows are read.
    """
    with connected(address) as connection, query_errors(address):
        from llmbatch.databases.postgresql_values import read_as_written  # noqa: PLC0415 - comes with an extra

        connection.read_only = True
        connection.execute(_AS_WRITTEN)
        read_as_written(connection, _column_types(connection, query))
        with connection.cursor(name="llmbatch") as cursor:
            with _only_reading(address):
                cursor.execute(query.encode())
            yield QueryResult(tuple(column.name for column in cursor.description or ()), _rows(cursor))


def postgresql_tables(address: DatabaseAddress) -> list[str]:
    """The user's tables and views, with their names in a query.

    Raises:
        UsageError: there is no connection.
    """
    with connected(address) as connection, query_errors(address):
        return [name for (name,) in connection.execute(_TABLES)]


@contextmanager
def connected(address: DatabaseAddress) -> "Iterator[Connection[tuple[Any, ...]]]":
    """A connection, closed without a commit.

    What the address does not state, libpq reads from `PGPASSWORD`, `~/.pgpass`, `PGSERVICE` and its other variables and
    files.

    Raises:
        UsageError: there is none.
    """
    with extra("sql", needed_by=f"connecting to {address.name}"):
        import psycopg  # noqa: PLC0415 - comes with an extra
        from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415
    try:
        named = conninfo_to_dict(address.target)
    except psycopg.ProgrammingError:  # its message may contain a part of the password
        raise UsageError(
            f"{address.name}: not a valid PostgreSQL address",
            hint="postgresql://USER@HOST:PORT/DATABASE, with special characters as %40; the password in PGPASSWORD",
        ) from None
    more: dict[str, Any] = {"fallback_application_name": "llmbatch", "client_encoding": "UTF8"}
    if "connect_timeout" not in named and "PGCONNECT_TIMEOUT" not in os.environ:
        more["connect_timeout"] = _CONNECT_TIMEOUT_S
    try:
        connection = psycopg.connect(address.target, **more)
    except psycopg.Error as error:
        raise UsageError(f"{address.name}: cannot connect: {' '.join(str(error).split())}") from None
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def query_errors(address: DatabaseAddress) -> Iterator[None]:
    """Report a refusal in the server's own words."""
    import psycopg  # noqa: PLC0415 - comes with an extra

    try:
        yield
    except psycopg.Error as error:
        raise _refused(address, error) from None


@contextmanager
def _only_reading(address: DatabaseAddress) -> Iterator[None]:
    """A statement that parses but cannot be declared as a cursor does not read."""
    from psycopg import errors  # noqa: PLC0415 - comes with an extra

    try:
        yield
    except (errors.SyntaxError, errors.FeatureNotSupported, errors.ReadOnlySqlTransaction):
        raise only_reads(address.name) from None


def _rows(cursor: Any) -> Iterator[tuple[Any, ...]]:
    size = FIRST_ROWS
    while batch := cursor.fetchmany(size):
        yield from batch
        size = rows_at_once(batch)


def _column_types(connection: "Connection[Any]", query: str) -> set[int]:
    """The types of a query's columns, by their numbers in `pg_type`.

    The server parses exactly the query, without any additional text: it accepts a single statement only.
    """
    from psycopg.errors import error_from_result  # noqa: PLC0415 - comes with an extra

    for described in (connection.pgconn.prepare(b"", query.encode()), connection.pgconn.describe_prepared(b"")):
        if described.status == _FATAL:
            raise error_from_result(described)
    return {described.ftype(column) for column in range(described.nfields)}


def _refused(address: DatabaseAddress, error: "Error") -> UsageError:
    return query_failed(address.name, error.diag.message_primary or str(error), error.diag.message_hint)
