"""Rows replace those with the same ids, all of them or none."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.core.exact_numbers import Number
from llmbatch.databases import (
    ColumnType,
    TableReplacement,
    common_type,
    parse_address,
    parse_table_name,
    table_transaction,
)
from tests.databases.server import Database, SqliteDatabase

NUL, REPLACED = "\0", "\N{REPLACEMENT CHARACTER}"


def write(database: Database, tables: Mapping[str, list[dict[str, Any]]]) -> int:
    """Write rows into tables whose columns are those of their first rows; how many values were changed."""
    changed = 0
    with table_transaction(parse_address(database.address)) as transaction:
        for name, rows in tables.items():
            columns = {column: _type(rows, column) for column in rows[0]}
            table = TableReplacement(transaction, parse_table_name(name), columns)
            for row in rows:
                table.replace(row["id"])
                table.add(row)
            table.finish()
            changed += table.nul_values
    return changed


def _type(rows: list[dict[str, Any]], column: str) -> ColumnType:
    found = None
    for row in rows:
        found = common_type(found, row[column])
    return found or ColumnType.TEXT


def test_rows_replace_those_with_the_same_ids(database: Database) -> None:
    write(database, {"t": [{"id": n, "label": "stale"} for n in range(3000)]})
    write(database, {"t": [{"id": n, "label": "new"} for n in range(1, 2500)] + [{"id": 7, "label": "its twin"}]})
    found = "select label, count(*) from t group by label order by label"
    assert database.execute(found) == [("its twin", 1), ("new", 2499), ("stale", 501)]


TYPES: dict[str, tuple[list[Any], str, str]] = {
    "whole": ([1, -(2**63)], "integer", "bigint"),
    "large": ([1, 2**63], "", "numeric"),
    "real": ([0.5, None], "real", "double precision"),
    "mixed numbers": ([1, 0.5], "", "numeric"),
    "flag": ([True, None], "boolean", "boolean"),
    "string": ([None, "a"], "text", "text"),
    "mixed": ([1, "a"], "text", "text"),
    "flag or number": ([True, 1], "text", "text"),
    "deep": ([{"a": [1]}, []], "text", "jsonb"),
    "deep or string": ([["a"], "a"], "text", "text"),
    "nothing": ([None, None], "text", "text"),
}


def test_columns_get_the_type_of_their_values(database: Database) -> None:
    rows = [{"id": n, **{name: values[n] for name, (values, _, _) in TYPES.items()}} for n in range(2)]
    write(database, {"t": rows})
    is_sqlite = isinstance(database, SqliteDatabase)
    kinds = {name: kind.lower() for name, kind in database.columns("t").items() if name != "id"}
    assert kinds == {name: sqlite if is_sqlite else other for name, (_, sqlite, other) in TYPES.items()}
    for name, (values, _, _) in TYPES.items():
        if not is_sqlite and kinds[name] != "text":
            assert database.execute(f'select "{name}" from t order by id') == [(value,) for value in values]


def test_text_is_never_interpreted_as_sql(database: Database) -> None:
    hostile = ["'); drop table labels; --", "\\N", "a\tb\\", '"', "{1,2}", "$$", "%s", ":a", f"a{NUL}b"]
    name = 'la"bels; drop table x'
    changed = write(database, {name: [{"id": value, name: value, "deep": [value, "\\u0000"]} for value in hostile]})
    assert changed == (0 if isinstance(database, SqliteDatabase) else 3)
    quoted = '"la""bels; drop table x"'
    expected = [(value, value) for value in hostile]
    if not isinstance(database, SqliteDatabase):
        expected[-1] = (f"a{REPLACED}b", f"a{REPLACED}b")
        deep = database.execute(f"select deep from {quoted}")
        assert deep == [([value.replace(NUL, REPLACED), "\\u0000"],) for value in hostile]
    assert database.execute(f"select id, {quoted} from {quoted}") == expected


def test_an_existing_table_keeps_its_types(postgresql: Database) -> None:
    postgresql.execute("create type mood as enum ('glad', 'sad')")
    postgresql.execute("create table t (id uuid primary key, mood mood, seen timestamptz, n int, extra int default 7)")
    row_id = "0b5f9d1e-9c7e-4a53-9f0e-0d9f2b1c3a4d"
    for mood in ("glad", "sad"):
        write(postgresql, {"t": [{"id": row_id, "mood": mood, "seen": "2024-02-03T04:05:06Z", "n": 1}]})
    found = postgresql.execute("select id::text, mood::text, extract(epoch from seen)::int, n, extra from t")
    assert found == [(row_id, "sad", 1706933106, 1, 7)]
    with pytest.raises(UsageError, match="nothing was written: invalid input syntax for type uuid"):
        write(postgresql, {"t": [{"id": "d-1", "mood": "sad", "seen": None, "n": 1}]})


@pytest.mark.parametrize("refusal", ["check (n < 2)", "unique (n)", "check (id not in ('d-2'))"])
def test_a_refusal_leaves_all_tables_unchanged(database: Database, refusal: str) -> None:
    database.execute(f"create table t (id text, n int, {refusal})")
    database.execute("insert into t values ('d-0', 1)")
    rows = [{"id": f"d-{n}", "n": min(n, 2)} for n in range(4)]
    with pytest.raises(UsageError, match="nothing was written: "):
        write(database, {"new": rows, "t": rows})
    assert database.execute("select id, n from t") == [("d-0", 1)]
    assert database.columns("new") == {}


def test_a_table_without_the_columns_is_refused_with_the_statement_that_adds_them(database: Database) -> None:
    database.execute("create table t (id text)")
    with pytest.raises(UsageError, match="table t lacks the columns n, a b; nothing was written") as refused:
        write(database, {"t": [{"id": "d-0", "n": 1, "a b": "x"}]})
    assert refused.value.hint is not None
    for statement in refused.value.hint.partition("or: ")[2].replace(", add", ";alter table t add").split(";"):
        database.execute(statement)
    write(database, {"t": [{"id": "d-0", "n": 1, "a b": "x"}]})
    assert database.execute("select * from t") == [("d-0", 1, "x")]


def test_text_is_not_converted_to_a_number(database: Database) -> None:
    write(database, {"t": [{"id": 1}]})
    with pytest.raises(UsageError, match="nothing was written"):
        write(database, {"t": [{"id": "d-1"}]})
    assert database.execute("select id from t") == [(1,)]


def test_a_table_in_a_schema(postgresql: Database) -> None:
    with pytest.raises(UsageError, match='schema "reports" does not exist'):
        write(postgresql, {"reports.t": [{"id": 1}]})
    postgresql.execute("create schema reports")
    write(postgresql, {"reports.t": [{"id": 1}]})
    assert postgresql.execute("select id from reports.t") == [(1,)]


def test_two_writers_of_the_same_rows_write_them_once(postgresql: Database) -> None:
    postgresql.execute(f"alter database \"{postgresql.name}\" set default_transaction_isolation = 'repeatable read'")
    write(postgresql, {"t": [{"id": 1, "label": "first"}]})
    with table_transaction(parse_address(postgresql.address)) as transaction:
        columns = {"id": ColumnType.INTEGER, "label": ColumnType.TEXT}
        table = TableReplacement(transaction, parse_table_name("t"), columns)
        for n in range(2):
            table.replace(n)
            table.add({"id": n, "label": "last"})
        write(postgresql, {"t": [{"id": 0, "label": "meanwhile"}]})
        table.finish()
    assert postgresql.execute("select id, label from t order by id") == [(0, "last"), (1, "last")]


def test_sqlite_keeps_numbers_as_numbers_and_digits_as_text(tmp_path: Path) -> None:
    database = SqliteDatabase(f"sqlite:///{tmp_path}/my.db", str(tmp_path / "my.db"))
    literals = ["1.50", "1E5", "-0", "0.1234567890123456789", "12345678901234567890"]
    write(database, {"t": [{"id": n, "n": Number(literal)} for n, literal in enumerate(literals)]})
    found = [value for (value,) in database.execute("select n from t order by id")]
    assert found == [1.5, 100000.0, 0.0, "0.1234567890123456789", "12345678901234567890"]


def test_sqlite_column_names_are_case_insensitive(tmp_path: Path) -> None:
    database = SqliteDatabase(f"sqlite:///{tmp_path}/my.db", str(tmp_path / "my.db"))
    database.execute("create table t (ID integer, Label text)")
    for label in ("first", "second"):
        write(database, {"t": [{"id": 1, "label": label}]})
    assert database.execute("select * from t") == [(1, "second")]
    with pytest.raises(UsageError, match="column ID of type INTEGER, and some of its values are text"):
        write(database, {"t": [{"id": "a", "label": "third"}]})
