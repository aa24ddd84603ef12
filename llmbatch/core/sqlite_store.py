"""SQLite files of the user's own, opened in one way: private, of a known format, every row sealed with a checksum.

SQLite has no checksums of its own: a flipped bit in a number is another number there.
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
"""The column of a table whose rows are sealed."""

DAMAGES = (sqlite3.Error, ValueError, OverflowError, MemoryError)
"""What comes of using a damaged file: texts in messages that are no UTF-8 and sizes beyond all bounds, too."""

_PAUSE_S = 0.01


@dataclass(frozen=True, slots=True)
class Schema:
    """What a store holds.

    `tables` makes it, statement by statement; `columns` are by table those that are brought over from format 1, which
    had no checksums, and `summed` those that a row's checksum is over; `indexes` are the names of its indexes.
    """

    tables: str
    columns: Mapping[str, Sequence[str]]
    summed: Mapping[str, Sequence[str]]
    indexes: tuple[str, ...]
    format: int = 2
    new: Mapping[int, frozenset[str]] = field(default_factory=dict)
    """By the format, the columns that came with it."""
    is_write_ahead: bool = False
    """Any number may read while one writes. What a killed process left there counts only as far as it is undamaged, and
    a power cut may lose the last transactions: not for what must not be lost."""


def open_store(path: Path, schema: Schema, *, busy_s: float) -> sqlite3.Connection:
    """Open a store, made where there is none and brought over from an earlier format. Any thread may use it.

    Args:
        path: the file.
        schema: what it holds.
        busy_s: how long to wait while other processes hold it.

    Raises:
        UsageError: no file of the user's own has that name.
        OSError: the system refuses it.
        sqlite3.Error: it is of a newer format, which is left as it is; of another program; damaged; or held by others.
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
    """One that excludes all other writers, given up where the block raises."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def checksum(*values: object) -> int:
    """Over a row's values as SQLite gives them: int, float, str, bytes or None."""
    return crc32(repr(values).encode("utf-8", "surrogatepass"))


def seal_rows(db: sqlite3.Connection, table: str, columns: Sequence[str], where: str, values: Sequence[object]) -> None:
    """Renew the checksums of rows that were changed, in the same transaction."""
    db.execute(f"UPDATE {table} SET checksum = row_checksum({', '.join(columns)}) WHERE {where}", values)  # noqa: S608


def check_rows(db: sqlite3.Connection, summed: Mapping[str, Sequence[str]]) -> None:
    """Look at all of a store: its structure, its indexes, and each row's checksum over these columns, by table.

    Raises:
        sqlite3.DatabaseError: something is damaged.
    """
    (found,) = db.execute("PRAGMA integrity_check(1)").fetchone()
    if found != "ok":
        raise sqlite3.DatabaseError(f"it is damaged: {str(found).splitlines()[-1]}")
    for table, columns in summed.items():
        wrong = f"SELECT count(*) FROM {table} WHERE checksum != row_checksum({', '.join(columns)})"  # noqa: S608
        if damaged := db.execute(wrong).fetchone()[0]:
            raise sqlite3.DatabaseError(f"it is damaged: {damaged} rows of its table {table} are not what was written")


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
            if (found := _format(db)) < schema.format:  # else another process was quicker
                _bring_over(db, schema, found) if found else _make(db, schema)
                db.execute(f"PRAGMA user_version = {schema.format}")
    _check_tables(db, schema)


def _write_ahead(db: sqlite3.Connection, busy_s: float) -> None:
    """Wait here: SQLite itself does not while another process writes to a file that is new, for fear of a deadlock."""
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
        raise sqlite3.DatabaseError("it is damaged: its tables are not as they were made")


def _tables(db: sqlite3.Connection) -> list[tuple[object, ...]]:
    return db.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name").fetchall()
