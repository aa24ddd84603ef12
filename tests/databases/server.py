"""A real PostgreSQL in its own folder, on a Unix socket only; stopped after the tests."""

import fcntl
import os
import pwd
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

FOLDER = "POSTGRESQL_OF_TEST"
"""Variable with a new folder for the server that all workers of a test run share."""
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
    """One database, and operations for tests."""

    address: str = field(repr=False)
    name: str = ""

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement; its rows, if it has any."""
        import psycopg  # noqa: PLC0415 - comes with an extra

        with psycopg.connect(self.address, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def disconnect_others(self) -> None:
        """End all other connections to it."""
        self.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )

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
    """The same for an SQLite file."""

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement; its rows, if it has any."""
        with closing(sqlite3.connect(self.name, isolation_level=None)) as connection:
            return connection.execute(statement).fetchall()

    def columns(self, table: str) -> dict[str, str]:
        """The types of a table's columns."""
        return dict(self.execute(f"select name, type from pragma_table_info('{table}')"))


@pytest.fixture(scope="session")
def postgresql_server() -> PostgresqlServer:
    """One server for all tests, started on first use."""
    if not _INSTALLED:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    pytest.importorskip("psycopg")
    folder = Path(os.environ[FOLDER])
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "started").exists():
            _start(folder)
            (folder / "started").touch()
    return PostgresqlServer(folder)


def stop_server(folder: Path) -> None:
    """Stop the server in a folder, if one was started, and remove the folder."""
    if (folder / "started").exists():
        _run(folder, "pg_ctl", "-m", "immediate", "stop")
    shutil.rmtree(folder)
    (folder.parent / f"{folder.name}.lock").unlink(missing_ok=True)


def _start(folder: Path) -> None:
    if os.geteuid() == 0:
        os.chown(folder, *_nobody())
    (folder / "password").write_text(PASSWORD)
    (folder / "password").chmod(0o644)
    made = ("-U", USER, "--auth=scram-sha-256", "--pwfile=password", "-E", "UTF8", "--locale=C", "--no-sync")
    _run(folder, "initdb", *made)
    _run(folder, "pg_ctl", "-w", "-l", "log", "-o", _SETTINGS.replace("-k .", f"-k {folder}"), "start")


def _run(folder: Path, program: str, *arguments: str) -> None:
    owner: dict[str, Any] = {}
    if os.geteuid() == 0:  # the server refuses to run as root
        user, group = _nobody()
        owner = {"user": user, "group": group, "extra_groups": []}
    subprocess.run(
        [_INSTALLED[-1].parent / program, "-D", "data", *arguments],
        cwd=folder, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, **owner,
    )  # fmt: skip


def _nobody() -> tuple[int, int]:
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


@pytest.fixture
def postgresql(postgresql_server: PostgresqlServer, request: pytest.FixtureRequest) -> Iterator[Database]:
    """A database for one test."""
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
