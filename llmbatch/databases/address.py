"""Addresses of databases, as people write them, and their names in files and on screens."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

from llmbatch.core.errors import UsageError

SQLITE, POSTGRESQL = "sqlite", "postgresql"

_ADDRESS = re.compile(r"(?P<scheme>[a-z][a-z0-9]*)(?:\+[a-z0-9_]+)?://(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
_SCHEMES = {"sqlite": SQLITE, "sqlite3": SQLITE, "postgresql": POSTGRESQL, "postgres": POSTGRESQL}
_OTHERS = frozenset(
    {
        *(
            "bigquery",
            "clickhouse",
            "cockroachdb",
            "databricks",
            "db2",
            "duckdb",
            "jdbc",
            "mariadb",
            "mongodb",
            "mssql",
        ),
        *("mysql", "oracle", "redshift", "snowflake", "sqlserver", "trino"),
    }
)
_PUBLIC_PARAMETERS = ("host", "port", "dbname", "user", "service")
"""Parameters of a PostgreSQL address that are part of its name: all others, such as `password`, are left out."""


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """Where a database is. `name` has no secrets; `target` is SQLite's file, or PostgreSQL's connection URI."""

    kind: str
    name: str
    target: str = field(repr=False)

    @property
    def stem(self) -> str:
        """A name for files derived from it: the file's name without its suffix, or the database's name."""
        if self.kind == SQLITE:
            return str(Path(self.target).with_suffix(""))
        place, _, parameters = self.name.partition("://")[2].partition("?")
        named = dict(parse_qsl(parameters))
        found = place.partition("/")[2] or named.get("dbname") or named.get("service") or POSTGRESQL
        return re.sub(r"[^\w.-]+", "_", found)


def is_database(name: str) -> bool:
    """Whether an input or a destination is the address of a database, even one that cannot be used."""
    match = _ADDRESS.fullmatch(name)
    return match is not None and match["scheme"].lower() in {*_SCHEMES, *_OTHERS}


def parse_address(text: str) -> DatabaseAddress:
    """A database's address in the form of SQLAlchemy and libpq: `sqlite:///FILE`, `postgresql://USER@HOST/DATABASE`.

    Raises:
        UsageError: it is not an address, or the database is not supported.
    """
    match = _ADDRESS.fullmatch(text)
    scheme = "" if match is None else match["scheme"].lower()
    if match is None or scheme not in _SCHEMES:
        raise UsageError(
            f"{scheme or text}: only SQLite and PostgreSQL can be read and written",
            hint="export the query's rows to Parquet or CSV, and name that file",
        )
    return _sqlite(match["rest"]) if _SCHEMES[scheme] == SQLITE else _postgresql(match["rest"])


def is_utf8(text: str) -> bool:
    """Whether a text contains no bytes of the command line that are not UTF-8 (PEP 383)."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _sqlite(rest: str) -> DatabaseAddress:
    if not rest.startswith("/") or rest in {"/", "/:memory:"}:
        raise UsageError(
            f"sqlite://{rest}: no database file in the address",
            hint="write three slashes before a relative path and four before an absolute one: sqlite:///my.db",
        )
    return DatabaseAddress(SQLITE, f"sqlite:///{rest[1:]}", rest[1:])


def _postgresql(rest: str) -> DatabaseAddress:
    user, at, place = rest.rpartition("@")
    if set(user) & set("/?@"):  # libpq would read a part of the password as the host or the port, and show it
        raise UsageError(
            "the PostgreSQL address has an @, / or ? in its user or password",
            hint="write them as %40, %2F and %3F; or leave the password to PGPASSWORD or ~/.pgpass",
        )
    if not is_utf8(rest):
        raise UsageError(
            "the PostgreSQL address is not valid UTF-8", hint="percent-encode the bytes that are not, as in %FF"
        )
    place, _, parameters = place.partition("?")
    named = parse_qsl(parameters, keep_blank_values=True)
    public = urlencode([(key, value) for key, value in named if key in _PUBLIC_PARAMETERS])
    name = f"postgresql://{user.partition(':')[0]}{at}{place}{'?' if public else ''}{public}"
    return DatabaseAddress(POSTGRESQL, name, f"postgresql://{rest}")
