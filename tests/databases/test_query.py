"""A query's rows are read as stored in the database, and nothing is written to it, whatever the query contains."""

import signal
import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Thread
from traceback import walk_stack
from types import FrameType
from typing import Any

import orjson
import pytest

from llmbatch.core.errors import UsageError
from llmbatch.databases import parse_address, parse_table_name, query_result, query_wanted
from tests.databases.server import PASSWORD, Database
from tests.e2e.program import wait_until

ENDLESS = "with recursive n (i) as (select 1 union all select i + 1 from n) select count(*) from n"


def rows_of(address: str, query: str) -> list[bytes]:
    """The rows as JSON."""
    with query_result(parse_address(address), query) as result:
        return [orjson.dumps(row) for row in result.rows]


def row_of(address: str, query: str) -> Any:
    (row,) = rows_of(address, query)
    return orjson.loads(row)


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / "my.db", isolation_level=None)) as connection:
        yield connection


def address_of(connection: sqlite3.Connection) -> str:
    return f"sqlite:///{connection.execute('pragma database_list').fetchone()[2]}"


def test_numbers_of_postgresql_keep_all_their_digits(postgresql: Database) -> None:
    query = """select 1.50::numeric, 12345678901234567890123456789012345678901::numeric, 0.1234567890123456789::numeric,
        9223372036854775807, 0.1::float4, 1e20::float8, 'NaN'::float8, '-Infinity'::numeric,
        (10::numeric ^ 400) * 1.0"""
    (row,) = rows_of(postgresql.address, query)
    assert row.startswith(
        b"[1.50,12345678901234567890123456789012345678901,0.1234567890123456789,9223372036854775807,0.1,1e+20,"
        b'"NaN","-Infinity","1000'
    )


def test_dates_of_postgresql_are_iso_8601_in_any_year(postgresql: Database) -> None:
    for setting in ("timezone = 'Asia/Kathmandu'", "datestyle = 'SQL, DMY'"):
        postgresql.execute(f'alter database "{postgresql.name}" set {setting}')
    query = """select '2024-02-03'::date, '0044-03-15 BC'::date, 'infinity'::timestamptz,
        '2024-02-03 04:05:06.5'::timestamp, '2024-02-03 04:05:06.123456'::timestamptz, '12024-01-01'::date,
        interval '1 day 2 hours', '03/02/2024'::date"""
    assert row_of(postgresql.address, query) == [
        *("2024-02-03", "0044-03-15 BC", "infinity", "2024-02-03T04:05:06.5", "2024-02-02T22:20:06.123456Z"),
        *("12024-01-01", "P1DT2H", "2024-02-03"),
    ]


def test_other_types_of_postgresql(postgresql: Database) -> None:
    postgresql.execute("create type mood as enum ('glad', 'sad'); create domain short as varchar(9)")
    query = r"""select null, true, '{"a": 1.10, "b":
        [1e5]}'::json, '{"k": null}'::jsonb, 'caf\303\251'::bytea, '\377\000'::bytea, array['a', null, 'b,c'],
        array[array[1.50], array[2]], array['2024-01-01'::date], array['sad'::mood], 'sad'::mood, 'x'::short,
        int4range(1, 5), '9.9'::money, '1.2.3.4'::inet, row(1, 'a'), 'c'::"char", e'a\nb "c" \\ \u00e9'"""
    (row,) = rows_of(postgresql.address, query)
    assert b'{"a": 1.10, "b":         [1e5]}' in row
    assert orjson.loads(row) == [
        *(None, True, {"a": 1.1, "b": [100000.0]}, {"k": None}, "café", "/wA=", ["a", None, "b,c"], [[1.5], [2]]),
        *(["2024-01-01"], ["sad"], "sad", "x", "[1,5)", "$9.90", "1.2.3.4", ["1", "a"], "c", 'a\nb "c" \\ é'),
    ]


def test_values_of_sqlite_have_their_stored_type_whatever_the_column_type(sqlite: sqlite3.Connection) -> None:
    sqlite.execute("create table t (n integer, d decimal(9, 2))")
    sqlite.executemany("insert into t values (?, ?)", [(1, 1.5), ("two", None), (b"\xff", "1.50x"), (2**62, 9e999)])
    rows = [orjson.loads(row) for row in rows_of(address_of(sqlite), "select * from t")]
    assert rows == [[1, 1.5], ["two", None], ["/w==", "1.50x"], [2**62, "Infinity"]]


def test_text_that_is_not_utf_8_damages_only_its_own_row(sqlite: sqlite3.Connection) -> None:
    (first, second) = rows_of(
        address_of(sqlite), "select cast(x'41ff\"' as text), 1 union all select 'ok', 2".replace('"', "22")
    )
    assert (first, second) == (b'["A\xff\\"",1]', b'["ok",2]')


@pytest.mark.parametrize(
    "query",
    [
        "delete from t",
        "delete from t returning id",
        "with gone as (delete from t returning id) select * from gone",
        "create table other (id int)",
        "insert into t values (2)",
        "select changed()",
        "",
        "-- nothing",
    ],
)
def test_a_query_that_would_write_is_refused(postgresql: Database, query: str) -> None:
    postgresql.execute("create table t as select 1 as id")
    postgresql.execute("create function changed() returns int language sql as 'delete from t returning id'")
    with pytest.raises(UsageError, match=r"may only read|read-only transaction"):
        rows_of(postgresql.address, query)
    assert postgresql.execute("select id from t") == [(1,)]


@pytest.mark.parametrize(
    "query",
    [
        "delete from t",
        "delete from t returning id",
        "create table other (id int)",
        "attach 'other.db' as other",
        "pragma journal_mode = wal",
        "vacuum into 'other.db'",
        "create temp table other (id int)",
        "begin",
        "insert into t values (2) returning id",
        "",
    ],
)
def test_a_query_that_would_write_to_sqlite_is_refused(sqlite: sqlite3.Connection, tmp_path: Path, query: str) -> None:
    sqlite.execute("create table t as select 1 as id")
    with pytest.raises(UsageError, match="may only read"):
        rows_of(address_of(sqlite), query)
    assert sqlite.execute("select id from t").fetchall() == [(1,)]
    assert [path.name for path in tmp_path.iterdir()] == ["my.db"]


@pytest.mark.parametrize(
    "query",
    [
        "select body from found where found match 'crashed'",
        "select snippet(found, 0, '', '', '', 9) from found where found match 'server' order by rank",
        "select value from t, json_each(t.json, '$.a')",
        "select shape.id from shapes as shape where low < 1",
        "select name from pragma_table_info('t')",
        "select *, row_number() over () from seen",
        "values (1);",
    ],
)
def test_any_query_that_only_reads_sqlite_is_run(sqlite: sqlite3.Connection, query: str) -> None:
    for statement in (
        "create virtual table found using fts5(body)",
        "insert into found values ('the server crashed')",
        "create virtual table shapes using rtree(id, low, high)",
        "insert into shapes values (1, 0, 1)",
        """create table t as select '{"a": [1, 2]}' as json""",
        "create view seen as select json, upper(json) from t",
    ):
        sqlite.execute(statement)
    assert [list(row) for row in sqlite.execute(query)] == [
        orjson.loads(row) for row in rows_of(address_of(sqlite), query)
    ]


def test_ctrl_c_while_the_thread_of_a_query_starts_leaves_the_connection_usable(
    sqlite: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, start = [], Thread.start

    def interrupted(thread: Thread) -> None:
        started.append(thread)
        start(thread)
        raise KeyboardInterrupt

    monkeypatch.setattr(Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        rows_of(address_of(sqlite), ENDLESS)
    (thread,) = started
    thread.join(timeout=60)
    assert not thread.is_alive()


def test_a_signal_is_handled_although_it_does_not_end_the_wait_for_a_query(sqlite: sqlite3.Connection) -> None:
    """Like a signal that arrives at the instant in which the wait begins."""
    main = threading.get_ident()

    def names_of(frame: FrameType) -> set[str]:
        return {called.f_code.co_qualname for called, _ in walk_stack(frame)}

    def interrupt() -> None:
        wait_until(lambda: "query_sqlite.<locals>.run" in names_of(sys._current_frames()[main]))
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)

    interrupting = Thread(target=interrupt)
    interrupting.start()
    with pytest.raises(KeyboardInterrupt):
        rows_of(address_of(sqlite), ENDLESS)
    interrupting.join()


def test_two_statements_are_refused(postgresql: Database, sqlite: sqlite3.Connection) -> None:
    postgresql.execute("create table t as select 1 as id")
    for address in (postgresql.address, address_of(sqlite)):
        with pytest.raises(UsageError, match=r"one statement|multiple commands"):
            rows_of(address, "select 1; commit; drop table t")
    assert postgresql.execute("select id from t") == [(1,)]


def test_the_databases_own_error_message_is_shown(postgresql: Database, sqlite: sqlite3.Connection) -> None:
    with pytest.raises(
        UsageError, match=r'^postgresql://app@/test_\d+\?host=\S+: the query failed: .*column "tex" does'
    ):
        rows_of(postgresql.address, "select tex from (select 'a' as text) as t")
    with pytest.raises(UsageError, match="division by zero"):
        rows_of(postgresql.address, "select 1 / (n - 5000) from generate_series(1, 9000) as n")
    with pytest.raises(UsageError, match=r"the query failed: no such column: tex$"):
        rows_of(address_of(sqlite), "select tex from sqlite_master")


def test_an_address_without_a_query_shows_the_tables(postgresql: Database, sqlite: sqlite3.Connection) -> None:
    assert "no tables" in query_wanted(parse_address(postgresql.address)).message
    for run in (postgresql.execute, sqlite.execute):
        run("create table tickets (id int); " if run == postgresql.execute else "create table tickets (id int)")
        run('create table "My ""Table" (id int)')
    for address in (postgresql.address, address_of(sqlite)):
        error = query_wanted(parse_address(address))
        assert error.message.endswith('needs a --query; its tables: "My ""Table", tickets')
        assert error.hint == """use --query 'select * from "My ""Table"'"""


def test_a_query_is_one_snapshot(postgresql: Database) -> None:
    postgresql.execute("create table t as select n as id from generate_series(1, 5000) as n")
    with query_result(parse_address(postgresql.address), "select id from t") as result:
        next(result.rows)
        postgresql.execute("delete from t")
        assert len(list(result.rows)) == 4999


@pytest.mark.parametrize("address", ["sqlite://my.db", "sqlite:///", "sqlite:///:memory:", "mysql://u:secret@h/d"])
def test_invalid_addresses_are_refused(address: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_address(address)
    assert "secret" not in f"{refused.value.message}{refused.value.hint}"


def test_an_address_that_is_not_utf_8_is_refused(sqlite: sqlite3.Connection) -> None:
    for address, query in ((address_of(sqlite), "select '\udcff'"), ("postgresql://h/\udcff", "select 1")):
        with pytest.raises(UsageError, match="not valid UTF-8"):
            rows_of(address, query)
    with pytest.raises(UsageError, match="UTF-8 without NUL"):
        parse_table_name("\udcff")


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("postgresql://u:secret@h:1/d", "postgresql://u@h:1/d"),
        ("postgres://u:secret@h/d?sslmode=require&password=secret&sslpassword=secret", "postgresql://u@h/d"),
        ("postgresql+psycopg://u:%40secret@h/d", "postgresql://u@h/d"),
        ("postgresql:///d?host=/run/pg&user=u&password=secret", "postgresql:///d?host=%2Frun%2Fpg&user=u"),
        ("postgresql://?service=nightly", "postgresql://?service=nightly"),
    ],
)
def test_a_displayed_name_contains_no_secrets(address: str, name: str) -> None:
    parsed = parse_address(address)
    assert (parsed.name, "secret" in repr(parsed)) == (name, False)


def test_a_server_that_refuses_shows_no_password(postgresql: Database) -> None:
    wrong = postgresql.address.replace("pass%2F", "wrongsecret%2F")
    for special in ("%2F", "%2", "/", "@", "?", ":"):
        address = wrong.replace("%2F", special)
        with pytest.raises(UsageError) as refused:
            rows_of(address, "select 1")
        assert "wrongsecret" not in f"{refused.value.message}{refused.value.hint}"


def test_missing_parts_of_an_address_come_from_libpqs_sources(
    postgresql: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = postgresql.address.partition("host=")[2]
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    assert row_of(f"postgresql://app@/{postgresql.name}?host={host}", "select 1") == [1]
    monkeypatch.delenv("PGPASSWORD")
    passwords, services = tmp_path / "pgpass", tmp_path / "services"
    passwords.write_text(f"*:*:*:app:{PASSWORD}\n")
    passwords.chmod(0o600)
    services.write_text(f"[nightly]\nhost={host}\nuser=app\ndbname={postgresql.name}\n")
    monkeypatch.setenv("PGPASSFILE", str(passwords))
    monkeypatch.setenv("PGSERVICEFILE", str(services))
    assert row_of("postgresql://?service=nightly", "select current_database()") == [postgresql.name]


def test_a_broken_connection_is_a_one_line_error(postgresql: Database) -> None:
    with pytest.raises(UsageError, match="the query failed: terminating connection due to administrator command"):
        rows_of(postgresql.address, "select pg_terminate_backend(pg_backend_pid())")


def test_postgresql_without_the_extra_is_a_one_line_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(
        UsageError, match=r"(?m)^connecting to postgresql://h/d needs psycopg, which is not installed$"
    ) as refused:
        rows_of("postgresql://h/d", "select 1")
    assert refused.value.hint == "pip install 'llmbatch[sql]'"
