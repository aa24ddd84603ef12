"""The spend store's tables.

A rollback journal, not write-ahead logging: what a killed process left in a write-ahead log counts only up to the first
checksum mismatch, so one flipped byte there would silently drop all later charges.
"""

from llmbatch.core.sqlite_store import COLUMN, Schema
from llmbatch.core.usage import STORED

_COLUMNS = {
    "session": ("id", "book", "run", "model", "task", "prompt", "leased", "started_at", "ended_at"),
    "spend": ("session", "day", *STORED, "spent_nusd", "charged_nusd"),
    "alert": ("book", "day", "cap_nusd", "percent"),
}
_AMOUNTS = (*STORED, "spent_nusd", "charged_nusd")
_TABLES = f"""
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

SCHEMA = Schema(
    _TABLES,
    columns=_COLUMNS,
    summed=_COLUMNS,
    indexes=("spend_day",),
    format=3,
    new={3: frozenset({"cache_unreported_tokens"})},
)
"""A row's checksum is over all its columns."""

GROUPS = {"day": "day", "model": "model", "run": "run", "prompt": "task || ' ' || prompt"}
"""SQL expressions to group sums of a spend store by."""
