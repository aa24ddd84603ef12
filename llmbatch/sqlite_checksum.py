"""Checksums in SQLite files, which have none of their own: a flipped bit in a number is another number there."""

import sqlite3
from collections.abc import Mapping, Sequence
from zlib import crc32

COLUMN = "checksum INTEGER NOT NULL DEFAULT 0"
"""The column of a table whose rows are sealed."""

DAMAGES = (sqlite3.Error, ValueError, OverflowError, MemoryError)
"""What comes of using a damaged file: texts in messages that are no UTF-8 and sizes beyond all bounds, too."""


def checksum(*values: object) -> int:
    """Over a row's values as SQLite gives them: int, float, str, bytes or None."""
    return crc32(repr(values).encode("utf-8", "surrogatepass"))


def teach_checksum(db: sqlite3.Connection) -> None:
    """Let statements call `row_checksum(column, ...)`."""
    db.create_function("row_checksum", -1, checksum, deterministic=True)


def seal_rows(db: sqlite3.Connection, table: str, columns: Sequence[str], where: str, values: Sequence[object]) -> None:
    """Renew the checksums of rows that were changed."""
    db.execute(f"UPDATE {table} SET checksum = row_checksum({', '.join(columns)}) WHERE {where}", values)  # noqa: S608


def check_tables(db: sqlite3.Connection, schema: str) -> None:
    """See to it that the tables are as the schema makes them.

    Raises:
        sqlite3.DatabaseError: they are not.
    """
    with sqlite3.connect(":memory:") as fresh:
        fresh.executescript(schema)
        expected = _tables(fresh)
    fresh.close()
    if _tables(db) != expected:
        raise sqlite3.DatabaseError("it is damaged: its tables are not as they were made")


def check_rows(db: sqlite3.Connection, tables: Mapping[str, Sequence[str]]) -> None:
    """Look at all of a file: its structure, its indexes, and each row's checksum.

    Args:
        db: the file.
        tables: by their names, the columns that a row's checksum is over.

    Raises:
        sqlite3.DatabaseError: something is damaged.
    """
    (found,) = db.execute("PRAGMA integrity_check(1)").fetchone()
    if found != "ok":
        raise sqlite3.DatabaseError(f"it is damaged: {str(found).splitlines()[-1]}")
    for table, columns in tables.items():
        wrong = f"SELECT count(*) FROM {table} WHERE checksum != row_checksum({', '.join(columns)})"  # noqa: S608
        if damaged := db.execute(wrong).fetchone()[0]:
            raise sqlite3.DatabaseError(f"it is damaged: {damaged} rows of its table {table} are not what was written")


def _tables(db: sqlite3.Connection) -> list[tuple[object, ...]]:
    return db.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name").fetchall()
