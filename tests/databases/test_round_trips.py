"""Any value that a database can hold is read back equal, through the copy that a run reads."""

import json
import math
import sqlite3
import tempfile
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmbatch.core.rows import Rejection
from llmbatch.databases import (
    ColumnType,
    TableReplacement,
    common_type,
    parse_address,
    parse_table_name,
    table_transaction,
)
from llmbatch.readers import ReaderOptions, Record, read_records, resolve_inputs
from tests.databases.server import Database

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
CELL = st.none() | st.integers(-(2**63), 2**63 - 1) | st.floats() | TEXT | st.just("\0")
WHOLE = st.none() | st.booleans() | st.integers() | TEXT


def documents(of: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """JSON of these values."""
    return st.recursive(
        of,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
        max_leaves=8,
    )


def read_back(address: str, query: str, folder: Path) -> list[dict[str, Any]]:
    """The fields of the rows."""
    options = ReaderOptions(query=query)
    (item,) = resolve_inputs([address], options, lambda _: folder / "copy.jsonl")
    assert item.source is not None
    item.source.copy_to(folder / "copy.jsonl")
    found = list(read_records(item, options))
    assert not [one for one in found if isinstance(one, Rejection)]
    return [dict(one.fields) for one in found if isinstance(one, Record)]


@given(rows=st.lists(st.tuples(CELL, CELL), max_size=5))
def test_any_table_of_sqlite_is_read_back(rows: list[tuple[Any, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        with closing(sqlite3.connect(path / "my.db", isolation_level=None)) as connection:
            connection.execute("create table t (a, b)")
            connection.executemany("insert into t values (?, ?)", rows)
        found = read_back(f"sqlite:///{path}/my.db", "select a, b from t", path)
    assert found == [{"a": expected(a), "b": expected(b)} for a, b in rows]


def expected(value: Any) -> Any:
    """SQLite has no NaN, and JSON no infinity."""
    if not isinstance(value, float):
        return value
    return None if math.isnan(value) else value if math.isfinite(value) else f"{'-' if value < 0 else ''}Infinity"


@given(document=documents(WHOLE | st.floats(allow_nan=False, allow_infinity=False)), text=TEXT)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_and_json_of_postgresql_is_read_back(postgresql: Database, document: Any, text: str) -> None:
    sql = pytest.importorskip("psycopg.sql")
    values = sql.SQL("select {}::json as document, {}::text as text").format(json.dumps(document), text)
    with tempfile.TemporaryDirectory() as folder:
        found = read_back(postgresql.address, values.as_string(), Path(folder))
    assert found == [{"document": document, "text": text}]


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "whole": st.integers(-(2**63), 2**63 - 1),
            "real": st.none() | st.floats(allow_nan=False, allow_infinity=False),
            "large": st.integers(2**63, 2**80),
            "flag": st.booleans(),
            "string": st.none() | TEXT,
            "deep": st.lists(documents(WHOLE), max_size=3),  # jsonb writes out all digits of 1e20
        }
    ),
    min_size=1,
    max_size=4,
)


@given(rows=ROWS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
def test_values_written_to_postgresql_are_read_back(postgresql: Database, rows: list[dict[str, Any]]) -> None:
    columns = {name: _type(row[name] for row in rows) for name in rows[0]}
    postgresql.execute("drop table if exists t")
    with table_transaction(parse_address(postgresql.address)) as transaction:
        table = TableReplacement(transaction, parse_table_name("t"), {"id": ColumnType.INTEGER, **columns})
        for n, row in enumerate(rows):
            table.add({"id": n, **row})
        table.finish()
    with tempfile.TemporaryDirectory() as folder:
        found = read_back(postgresql.address, "select * from t order by id", Path(folder))
    assert found == [{"id": n, **row} for n, row in enumerate(rows)]


def _type(values: Iterable[Any]) -> ColumnType:
    found = None
    for value in values:
        found = common_type(found, value)
    return found or ColumnType.TEXT
