"""Opens the user's SQLite files in one consistent way: private, in a known format, every row sealed with a checksum.

SQLite has no checksums of its own: a flipped bit in a number silently becomes another number.
"""

import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

from llmbatch.core.files import check_database

COLUMN = "checksum INTEGER NOT NULL DEFAULT 0"
"""The checksum column of a table with sealed rows."""

DAMAGES = (sqlite3.Error, ValueError, OverflowError, MemoryError)
"""Errors from using a damaged file, including messages that are not UTF-8 and absurd sizes."""

_PAUSE_S = 0.01


@dataclass(frozen=True, slots=True)
class Schema:
    """The layout of a store.

    `tables` are the statements that create it; `columns` are the columns of each table migrated from format 1, which
    had no checksums, and `summed` those that a row's checksum covers; `indexes` are the names of its indexes.
    """

    tables: str
    columns: Mapping[str, Sequence[str]]
    summed: Mapping[str, Sequence[str]]
    indexes: tuple[str, ...]
    format: int = 2
    new: Mapping[int, frozenset[str]] = field(default_factory=dict)
    """The columns added by each format."""
    is_write_ahead: bool = False
    """Use write-ahead logging: any number can read while one writes. Data left by a killed process is used only if
    undamaged, and a power cut may lose the last transactions, so it is not for data that must not be lost."""


def open_store(path: Path, schema: Schema, *, busy_s: float) -> sqlite3.Connection:
    """Open a store, creating it if missing and migrating earlier formats. Any thread may use it.

    Args:
        path: the file.
        schema: what it holds.
        busy_s: how long to wait while other processes have it locked.

    Raises:
        UsageError: the path is not a file of the user's own.
        OSError: the system refuses it.
        sqlite3.Error: it is in a newer format (and left unchanged), another program's, damaged, or locked by others.
    """
    check_database(path)
    db = sqlite3.connect(path, timeout=busy_s, isolation_level=None, check_same_thread=False)
    try:
        _prepare(db, schema, busy_s)
    except BaseException:
        db.close()
        raise
    return db


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """A transaction that excludes all other writers, rolled back if the block raises."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def checksum(*values: object) -> int:
    """The checksum of a row's values as SQLite returns them: int, float, str, bytes or None."""
    return crc32(repr(values).encode("utf-8", "surrogatepass"))


def seal_rows(db: sqlite3.Connection, table: str, columns: Sequence[str], where: str, values: Sequence[object]) -> None:
    """Update the checksums of changed rows, in the same transaction."""
    db.execute(f"UPDATE {table} SET checksum = row_checksum({', '.join(columns)}) WHERE {where}", values)  # noqa: S608


def check_rows(db: sqlite3.Connection, summed: Mapping[str, Sequence[str]]) -> None:
    """Check a whole store: its structure, its indexes, and each row's checksum over these columns, by table.

    Raises:
        sqlite3.DatabaseError: something is damaged.
    """
    (found,) = db.execute("PRAGMA integrity_check(1)").fetchone()
    if found != "ok":
        raise sqlite3.DatabaseError(f"it is damaged: {str(found).splitlines()[-1]}")
    for table, columns in summed.items():
        wrong = f"SELECT count(*) FROM {table} WHERE checksum != row_checksum({', '.join(columns)})"  # noqa: S608
        if damaged := db.execute(wrong).fetchone()[0]:
            raise sqlite3.DatabaseError(f"it is damaged: {damaged} rows of its table {table} fail their checksums")


def _prepare(db: sqlite3.Connection, schema: Schema, busy_s: float) -> None:
    db.create_function("row_checksum", -1, checksum, deterministic=True)
    if (found := _format(db)) > schema.format:
        raise sqlite3.DatabaseError(f"its format {found} is from a newer llmbatch")
    if schema.is_write_ahead:
        _write_ahead(db, busy_s)
    elif found < schema.format and found:
        db.execute("PRAGMA journal_mode = DELETE")  # fails while a process of an earlier version has it open
    db.execute(f"PRAGMA synchronous = {'NORMAL' if schema.is_write_ahead else 'FULL'}")
    if found < schema.format:
        with transaction(db):
            if (found := _format(db)) < schema.format:  # otherwise another process was faster
                _bring_over(db, schema, found) if found else _make(db, schema)
                db.execute(f"PRAGMA user_version = {schema.format}")
    _check_tables(db, schema)


def _write_ahead(db: sqlite3.Connection, busy_s: float) -> None:
    """Wait here: to avoid deadlock, SQLite itself does not wait while another process writes to a new file."""
    until = time.monotonic() + busy_s
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(_PAUSE_S)
        else:
            return


def _format(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _make(db: sqlite3.Connection, schema: Schema) -> None:
    if _format(db) == 0 and _tables(db):
        raise sqlite3.DatabaseError("it is another program's database")
    for statement in schema.tables.split(";"):
        db.execute(statement)


def _bring_over(db: sqlite3.Connection, schema: Schema, found: int) -> None:
    later = frozenset[str]().union(*(names for came_with, names in schema.new.items() if came_with > found))
    if found > 1:
        check_rows(db, {table: _without(later, columns) for table, columns in schema.summed.items()})
    for index in schema.indexes:
        db.execute(f"DROP INDEX {index}")
    for table in schema.columns:
        db.execute(f"ALTER TABLE {table} RENAME TO old_{table}")
    _make(db, schema)
    for table, columns in schema.columns.items():
        names = ", ".join(_without(later, columns))
        db.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM old_{table}")  # noqa: S608 - our own columns
        seal_rows(db, table, schema.summed[table], "true", ())
    for table in reversed(list(schema.columns)):
        db.execute(f"DROP TABLE old_{table}")


def _without(names: frozenset[str], columns: Sequence[str]) -> list[str]:
    return [column for column in columns if column not in names]


def _check_tables(db: sqlite3.Connection, schema: Schema) -> None:
    with sqlite3.connect(":memory:") as fresh:
        fresh.executescript(schema.tables)
        expected = _tables(fresh)
    fresh.close()
    if _tables(db) != expected:
        raise sqlite3.DatabaseError("it is damaged: its tables are not as they were created")


def _tables(db: sqlite3.Connection) -> list[tuple[object, ...]]:
    return db.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name").fetchall()
