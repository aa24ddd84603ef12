"""Reads from a database of either kind."""

from contextlib import AbstractContextManager

from llmbatch.core.errors import UsageError
from llmbatch.databases.address import SQLITE, DatabaseAddress, is_utf8
from llmbatch.databases.postgresql import postgresql_tables, query_postgresql
from llmbatch.databases.query import QueryResult
from llmbatch.databases.sqlite import query_sqlite, sqlite_tables

_SHOWN = 20


def query_result(address: DatabaseAddress, query: str) -> AbstractContextManager[QueryResult]:
    """A query's rows, all in their state when it begins. Nothing is written, whatever the query contains.

    Raises:
        UsageError: the database cannot be opened, or refuses the query; also while rows are read.
    """
    if not is_utf8(query):
        raise UsageError(f"{address.name}: the query is not valid UTF-8")
    if address.kind == SQLITE:
        return query_sqlite(address, query)
    return query_postgresql(address, query)


def query_wanted(address: DatabaseAddress) -> UsageError:
    """The error for a database without a query, which lists its tables.

    Raises:
        UsageError: it cannot be opened.
    """
    tables = sqlite_tables(address) if address.kind == SQLITE else postgresql_tables(address)
    if not tables:
        return UsageError(f"{address.name}: needs a --query, but has no tables to query")
    more = f" and {len(tables) - _SHOWN:,} more" if len(tables) > _SHOWN else ""
    return UsageError(
        f"{address.name}: needs a --query; its tables: {', '.join(tables[:_SHOWN])}{more}",
        hint=f"use --query 'select * from {tables[0]}'",  # noqa: S608 - it is shown
    )
