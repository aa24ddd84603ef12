"""The spend store's tables: made, brought over from format 1, and looked at before they are used.

A rollback journal, not write-ahead logging: what a killed process left in a write-ahead log counts only as far as its
own checksums fit, so that one flipped byte there would drop the charges behind it without a word.
"""

import sqlite3

from llmbatch.spend.figures import FIELDS
from llmbatch.sqlite_checksum import COLUMN, check_rows, check_tables, seal_rows, teach_checksum

FORMAT = 2
"""1 had no checksums."""
SUMMED = {
    "session": ("id", "book", "run", "model", "task", "prompt", "leased", "started_at", "ended_at"),
    "spend": ("session", "day", *FIELDS, "spent_nusd", "charged_nusd"),
    "alert": ("book", "day", "cap_nusd", "percent"),
}
"""By table, the columns that a row's checksum is over: all."""

_AMOUNTS = (*FIELDS, "spent_nusd", "charged_nusd")
_SCHEMA = f"""
CREATE TABLE session (
    id TEXT PRIMARY KEY,
    book TEXT NOT NULL,
    run TEXT NOT NULL,
    model TEXT NOT NULL,
    task TEXT NOT NULL,
    prompt TEXT NOT NULL,
    leased INTEGER NOT NULL,
    started_at TEXT NOT NULL,
    ended_at TEXT,
    {COLUMN}
);
CREATE TABLE spend (
    session TEXT NOT NULL REFERENCES session (id),
    day TEXT NOT NULL,
    {", ".join(f"{name} INTEGER NOT NULL DEFAULT 0 CHECK ({name} >= 0)" for name in _AMOUNTS)},
    {COLUMN},
    PRIMARY KEY (session, day)
) WITHOUT ROWID;
CREATE INDEX spend_day ON spend (day);
CREATE TABLE alert (
    book TEXT NOT NULL,
    day TEXT NOT NULL,
    cap_nusd INTEGER NOT NULL,
    percent REAL NOT NULL,
    {COLUMN},
    PRIMARY KEY (book, day, cap_nusd, percent)
) WITHOUT ROWID;
"""


def prepare(db: sqlite3.Connection) -> None:
    """Make the tables, bring them over, or check those that are there.

    Raises:
        sqlite3.Error: it is of a newer format, which is left as it is; of another program; damaged; or held by others.
    """
    teach_checksum(db)
    found = _format(db)
    if found > FORMAT:
        raise sqlite3.DatabaseError(f"its format {found} is of a newer llmbatch")
    db.execute("PRAGMA synchronous = FULL")
    if found < FORMAT:
        if found:
            db.execute("PRAGMA journal_mode = DELETE")  # fails while a process of an earlier version has it open
        _make(db)
    check_tables(db, _SCHEMA)
    check_rows(db, SUMMED)


def seal(db: sqlite3.Connection, table: str, where: str, *values: object) -> None:
    """Renew the checksums of rows that were changed, in the same transaction."""
    seal_rows(db, table, SUMMED[table], where, values)


def _format(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _make(db: sqlite3.Connection) -> None:
    db.execute("BEGIN IMMEDIATE")
    try:
        found = _format(db)
        if found < FORMAT:  # else another process was quicker
            _bring_over(db) if found else _make_tables(db)
            db.execute(f"PRAGMA user_version = {FORMAT}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _make_tables(db: sqlite3.Connection) -> None:
    if _format(db) == 0 and db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise sqlite3.DatabaseError("it is another program's database")
    for statement in _SCHEMA.split(";"):
        db.execute(statement)


def _bring_over(db: sqlite3.Connection) -> None:
    db.execute("DROP INDEX spend_day")
    for table in SUMMED:
        db.execute(f"ALTER TABLE {table} RENAME TO old_{table}")
    _make_tables(db)
    for table, columns in SUMMED.items():
        names = ", ".join(columns)
        db.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM old_{table}")  # noqa: S608 - our own columns
        seal(db, table, "true")
    for table in reversed(SUMMED):
        db.execute(f"DROP TABLE old_{table}")
