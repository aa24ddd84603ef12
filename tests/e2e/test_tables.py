"""`llmbatch export --to`: the outputs of a run become database tables, all or none."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.databases.server import Database, SqliteDatabase
from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Done, Program, documents, views, write_rows

NUL = "\0"


@pytest.fixture(autouse=True)
def asking(llmbatch: Program, endpoint: StartEndpoint) -> None:
    llmbatch.env["LLMBATCH_BASE_URL"] = endpoint().url


def labelled(llmbatch: Program, rows: Sequence[object], *options: str) -> Path:
    """A run folder with these rows."""
    write_rows(llmbatch.folder / "docs.jsonl", list(rows))
    done = llmbatch("classify", "docs.jsonl", "--out", "run", "--review-below", "0", *options)
    assert done.code in {0, 3}, done.err
    return llmbatch.folder / "run"


def export(llmbatch: Program, database: Database, table: str = "labels") -> Done:
    return llmbatch("export", "run", "--to", database.address, "--table", table)


def test_results_become_a_table_with_types(llmbatch: Program, database: Database) -> None:
    more = {"n": 7, "share": 0.5, "exact": 12345678901234567890123, "is_new": True, "tags": ["a"], "note": 'it\'s "x"'}
    run = labelled(llmbatch, [{**row, "id": n, **more} for n, row in enumerate(documents(3))])
    assert (export(llmbatch, database).code, export(llmbatch, database).out) == (0, "labels\n")
    results = views(run)["results"]
    columns = database.columns("labels")
    kinds = [columns[name] for name in ("id", "row", "category", "confidence", *more)]
    if isinstance(database, SqliteDatabase):
        assert list(map(str.lower, kinds)) == [
            *("integer", "integer", "text", "real", "integer", "real", "", "boolean", "text", "text"),
        ]
    else:
        assert kinds == [
            *("bigint", "bigint", "text", "double precision"),
            *("bigint", "double precision", "numeric", "boolean", "jsonb", "text"),
        ]
    assert database.execute("select id, category, confidence from labels order by row") == [
        (row["id"], row["category"], row["confidence"]) for row in results
    ]
    (found,) = database.execute(
        "select n, share, cast(exact as text), is_new, cast(tags as text), note from labels limit 1"
    )
    assert found == (7, 0.5, "12345678901234567890123", True, '["a"]', 'it\'s "x"')


def test_each_row_is_in_exactly_one_table(llmbatch: Program, database: Database) -> None:
    rows = [*documents(2), b'{"id": "torn', {"id": "d-3", "text": ""}, {"id": 5, "text": "", "n": {"a": NUL}}]
    run = labelled(llmbatch, rows)
    assert llmbatch("classify", "docs.jsonl", "--out", "run", "--review-below", "1").code == 3
    done = export(llmbatch, database)
    assert done.out == "labels\nlabels_review\nlabels_failed\n"
    assert ("were written with U+FFFD in its place: 1" in done.err) != isinstance(database, SqliteDatabase)
    assert database.execute("select id, text from labels_review order by row") == [
        (row["id"], row["text"]) for row in views(run)["review"]
    ]
    failed = "select id, kind, line from labels_failed order by row"
    assert database.execute(failed) == [
        ("docs.jsonl:3", "bad_json", 3),
        ("docs.jsonl:4", "empty_text", 4),
        ("docs.jsonl:5", "empty_text", 5),
    ]
    write_rows(llmbatch.folder / "decided.jsonl", [{"id": "d-1", "decision": "legal"}])
    assert llmbatch("review", "import", "run", "decided.jsonl").code == 0
    assert export(llmbatch, database).code == 0
    assert database.execute("select id, category, decided_by from labels") == [("d-1", "legal", "human")]
    assert database.execute("select id from labels_review") == [("d-0",)]
    assert len(database.execute(failed)) == 3


def test_a_table_of_the_users_own_needs_no_columns_without_values(llmbatch: Program, postgresql: Database) -> None:
    postgresql.execute("create table labels (id text primary key, category text not null, confidence numeric, at date)")
    run = labelled(llmbatch, documents(2))
    for _ in range(2):
        assert export(llmbatch, postgresql).code == 0
    found = postgresql.execute("select id, category, at from labels order by id")
    assert found == [(row["id"], row["category"], None) for row in views(run)["results"]]
    labelled(llmbatch, [{**row, "n": 1} for row in documents(2)])
    lacking = export(llmbatch, postgresql)
    assert (lacking.code, "table labels lacks the columns n; nothing" in " ".join(lacking.err.split())) == (2, True)


def test_fields_that_differ_from_columns_only_in_case_are_renamed(llmbatch: Program, database: Database) -> None:
    (llmbatch.folder / "docs.csv").write_text("ID,Text,Category\n7,The server crashed.,mine\n")
    done = llmbatch("classify", "docs.csv", "--out", "run", "--review-below", "0", "--id-field", "ID")
    assert done.code == 0, done.err
    assert export(llmbatch, database).code == 0
    found = database.execute('select id, category, "input_ID", "input_Category" from labels')
    assert found == [("7", "technical", "7", "mine")]


def test_no_file_is_left_if_a_database_could_not_be_created(llmbatch: Program) -> None:
    labelled(llmbatch, [{**documents(1)[0], "A": 1, "a": 2}])
    done = llmbatch("export", "run", "--to", "sqlite:///new.db", "--table", "labels")
    assert (done.code, "duplicate column name: a" in done.err) == (2, True)
    assert not (llmbatch.folder / "new.db").exists()
    missing = llmbatch("export", "run", "--to", "sqlite:///missing/new.db", "--table", "labels")
    assert (missing.code, "missing/new.db: cannot be created (No such file" in missing.err) == (2, True)


def test_the_password_is_written_nowhere(llmbatch: Program, postgresql: Database) -> None:
    run = labelled(llmbatch, documents(1))
    done = export(llmbatch, postgresql)
    wrong = llmbatch("export", "run", "--to", postgresql.address.replace("pass%2F", "wrong%2F"), "--table", "labels")
    assert (done.code, wrong.code) == (0, 2)
    assert 'password authentication failed for user "app"' in " ".join(wrong.err.split())
    kept = b"".join(path.read_bytes() for path in run.iterdir() if path.is_file())
    for secret in ("pass%2F", "pass/w", "wrong"):
        assert secret not in done.out + done.err + wrong.out + wrong.err
        assert secret.encode() not in kept


def test_invalid_destinations_are_refused(llmbatch: Program) -> None:
    for options, said in (
        (["--to", "sqlite:///my.db"], "--to needs --table"),
        (["--table", "labels"], "--table needs --to"),
        (["--to", "sqlite:///my.db", "--table", "labels", "--format", "csv"], "--format"),
        (["--to", "sqlite:///my.db", "--table", ""], "is not a table name"),
        (["--to", "sqlite:///my.db", "--table", "x" * 63], "63 bytes at most"),
        (["--to", "mysql://u:secret@h/d", "--table", "labels"], "only SQLite and PostgreSQL"),
        (["--to", "my.db", "--table", "labels"], "only SQLite and PostgreSQL"),
    ):
        done = llmbatch("export", "run", *options)
        assert (done.code, said in done.err, "secret" in done.err) == (2, True, False), options
