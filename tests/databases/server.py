"""A real PostgreSQL in a folder of its own, on a Unix socket alone; ended with the tests."""

import os
import pwd
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

USER, PASSWORD = "app", "pass/w?rd@1"
QUOTED_PASSWORD = "pass%2Fw%3Frd%401"
_INSTALLED = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
_SETTINGS = "-k . -c listen_addresses='' -c fsync=off -c shared_buffers=1MB -c max_wal_size=64MB"


@dataclass(frozen=True)
class PostgresqlServer:
    """A running server."""

    folder: Path

    def address(self, database: str, password: str = QUOTED_PASSWORD) -> str:
        """Of a database, with its password."""
        return f"postgresql://{USER}:{password}@/{database}?host={self.folder}"

    def created(self, database: str) -> "Database":
        """A new database."""
        Database(self.address("postgres")).execute(f'create database "{database}"')
        return Database(self.address(database), database)


@dataclass(frozen=True)
class Database:
    """One database, and what tests do with it."""

    address: str = field(repr=False)
    name: str = ""

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement; its rows, if it has any."""
        import psycopg  # noqa: PLC0415 - comes with an extra

        with psycopg.connect(self.address, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def columns(self, table: str) -> dict[str, str]:
        """The types of a table's columns."""
        return dict(
            self.execute(
                "select column_name, data_type from information_schema.columns "
                f"where table_name = '{table}' order by ordinal_position"
            )
        )


@dataclass(frozen=True)
class SqliteDatabase(Database):
    """The same with a file."""

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement; its rows, if it has any."""
        with closing(sqlite3.connect(self.name, isolation_level=None)) as connection:
            return connection.execute(statement).fetchall()

    def columns(self, table: str) -> dict[str, str]:
        """The types of a table's columns."""
        return dict(self.execute(f"select name, type from pragma_table_info('{table}')"))


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresqlServer]:
    if not _INSTALLED:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    pytest.importorskip("psycopg")
    bin_folder, folder = _INSTALLED[-1].parent, Path(tempfile.mkdtemp(prefix="pg-"))
    user: dict[str, Any] = {}
    if os.geteuid() == 0:  # as which the server refuses to run
        nobody = pwd.getpwnam("nobody")
        user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)

    def run(program: str, *arguments: str) -> None:
        subprocess.run(
            [bin_folder / program, "-D", "data", *arguments],
            cwd=folder, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, **user,
        )  # fmt: skip

    (folder / "password").write_text(PASSWORD)
    (folder / "password").chmod(0o644)
    try:
        run("initdb", "-U", USER, "--auth=scram-sha-256", "--pwfile=password", "-E", "UTF8", "--locale=C", "--no-sync")
        run("pg_ctl", "-w", "-l", "log", "-o", _SETTINGS.replace("-k .", f"-k {folder}"), "start")
        yield PostgresqlServer(folder)
        run("pg_ctl", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def postgresql(postgresql_server: PostgresqlServer, request: pytest.FixtureRequest) -> Iterator[Database]:
    """A database of the test's own."""
    name = f"test_{abs(hash(request.node.nodeid))}"
    yield postgresql_server.created(name)
    Database(postgresql_server.address("postgres")).execute(f'drop database "{name}" with (force)')


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """A database of each kind."""
    if request.param == "sqlite":
        return SqliteDatabase(f"sqlite:///{tmp_path}/my.db", str(tmp_path / "my.db"))
    postgresql: Database = request.getfixturevalue("postgresql")
    return postgresql
