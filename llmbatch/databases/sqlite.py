"""SQLite, with the driver of the standard library."""

import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event
from typing import Any, TypeVar
from urllib.parse import quote_from_bytes

from llmbatch.core.binary import text_or_base64
from llmbatch.core.errors import UsageError
from llmbatch.databases.address import DatabaseAddress
from llmbatch.databases.query import FIRST_ROWS, QueryResult, only_reads, query_failed, rows_at_once
from llmbatch.databases.tables import quoted
from llmbatch.databases.values import real, text

_OTHER_FILES = frozenset({sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH})
"""Operations that create or open other files even in a read-only connection, including `VACUUM INTO`."""
_READING_PRAGMAS = frozenset(
    {
        *("collation_list", "compile_options", "data_version", "database_list", "foreign_key_list", "function_list"),
        *("index_info", "index_list", "index_xinfo", "module_list", "page_size", "table_info", "table_list"),
        *("table_xinfo",),
    }
)
_TABLES = """
select name from sqlite_master
where type in ('table', 'view') and name not like 'sqlite\\_%' escape '\\'
order by name
"""
_STEPS_BETWEEN_CHECKS = 100_000
"""Instructions of SQLite's virtual machine between checks: a few milliseconds."""
_UNHEARD_S = 0.2
"""How long a signal may go unheard while a query runs."""
_NOT_AUTHORIZED = "not authorized"
"""SQLite's messages for some statements without an error code of their own."""
_PLAIN_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
Result = TypeVar("Result")


@contextmanager
def query_sqlite(address: DatabaseAddress, query: str) -> Iterator[QueryResult]:
    """The rows of a query, all in their state when it begins, in a connection that cannot write.

    Raises:
        UsageError: the database cannot be opened, or it refuses the query; also while rows are read.
    """
    is_over = Event()
    with _opened(address) as connection, ThreadPoolExecutor(1) as worker:
        connection.text_factory = text
        connection.set_authorizer(_only_reading)
        connection.set_progress_handler(is_over.is_set, _STEPS_BETWEEN_CHECKS)

        def run(call: Callable[[], Result]) -> Result:
            """Call it in another thread, since signals are not handled during a call in this one."""
            called = worker.submit(call)
            while not wait((called,), timeout=_UNHEARD_S).done:
                pass  # a signal in the instant in which a wait begins is handled when the wait ends
            try:
                return called.result()
            except sqlite3.Error as error:
                raise _refused(address, error) from None

        # A signal while the thread starts leaves a thread that nothing waits for: it must not have the connection yet.
        worker.submit(is_over.is_set).result()
        try:
            cursor = run(lambda: connection.execute(query))
            if cursor.description is None:
                raise only_reads(address.name)
            yield QueryResult(tuple(column[0] for column in cursor.description), _rows(cursor, run))
        finally:
            is_over.set()  # a query that still runs ends with the next check


def sqlite_tables(address: DatabaseAddress) -> list[str]:
    """The tables and views, with their names in a query.

    Raises:
        UsageError: the database cannot be opened.
    """
    with _opened(address) as connection:
        try:
            return [name if _PLAIN_NAME.fullmatch(name) else quoted(name) for (name,) in connection.execute(_TABLES)]
        except sqlite3.DatabaseError as error:
            raise _refused(address, error) from None


@contextmanager
def _opened(address: DatabaseAddress) -> Iterator[sqlite3.Connection]:
    path = Path(address.target)
    if not path.is_file():
        raise UsageError(
            f"{address.name}: no such file", hint="four slashes begin an absolute path: sqlite:////data/my.db"
        )
    uri = f"file:{quote_from_bytes(os.fsencode(path.absolute()))}?mode=ro"
    try:
        connection = sqlite3.connect(uri, uri=True, check_same_thread=False)
    except sqlite3.Error as error:
        raise UsageError(f"{address.name}: cannot be opened ({error})") from None
    with closing(connection):
        yield connection


def _rows(cursor: sqlite3.Cursor, run: Callable[[Callable[[], Any]], Any]) -> Iterator[tuple[Any, ...]]:
    size = FIRST_ROWS
    while batch := run(lambda: cursor.fetchmany(size)):  # noqa: B023 - it has run before the size changes
        yield from (tuple(map(_value, row)) for row in batch)
        size = rows_at_once(batch)


def _value(value: Any) -> Any:
    match value:
        case float():
            return real(value)
        case bytes():
            return text_or_base64(value)
        case _:
            return value


def _only_reading(action: int, name: str | None, *_: str | None) -> int:
    """Whether SQLite may do this: the file is opened read-only, so only other files and settings need protection.

    Virtual tables (full-text search, `json_each`) are declared while they are read: allowing `SELECT` alone would lock
    them out.
    """
    is_setting = action == sqlite3.SQLITE_PRAGMA and name not in _READING_PRAGMAS
    return sqlite3.SQLITE_DENY if action in _OTHER_FILES or is_setting else sqlite3.SQLITE_OK


def _refused(address: DatabaseAddress, error: sqlite3.Error) -> UsageError:
    code = getattr(error, "sqlite_errorcode", None)
    if code in {sqlite3.SQLITE_AUTH, sqlite3.SQLITE_READONLY} or str(error) == _NOT_AUTHORIZED:
        return only_reads(address.name)
    return query_failed(address.name, str(error))
