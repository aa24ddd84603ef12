"""A query as the input: its rows are copied once, and the run uses the copy until it is complete."""

import json
import signal
import sqlite3
from pathlib import Path

import pytest

import llmbatch as package
from tests.databases.server import Database, SqliteDatabase
from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Program, documents, read_rows, views, wait_until

QUERY = "select id, body, price from tickets order by id"
ASKED = ("--query", QUERY, "--review-below", "0", "--out", "run")


@pytest.fixture(autouse=True)
def asking(llmbatch: Program, endpoint: StartEndpoint) -> None:
    llmbatch.env["LLMBATCH_BASE_URL"] = endpoint().url


@pytest.fixture
def tickets(database: Database) -> Database:
    database.execute("create table tickets (id integer, body text, price numeric(9, 2))")
    add(database, 6)
    return database


def add(database: Database, count: int, first: int = 0) -> None:
    values = [
        f"({first + n}, '{row['text'].replace(chr(39), chr(39) * 2)}', 1.50)" for n, row in enumerate(documents(count))
    ]
    database.execute(f"insert into tickets values {', '.join(values)}")


def copies(run: Path) -> list[Path]:
    return sorted(run.glob("query-*.jsonl"))


def test_rows_of_a_query_are_labelled_as_those_of_a_file(llmbatch: Program, tickets: Database) -> None:
    done = llmbatch("classify", tickets.address, *ASKED)
    assert done.code == 0, done.err
    run = llmbatch.folder / "run"
    results = views(run)["results"]
    assert [row["id"] for row in results] == list(range(6))
    if not isinstance(tickets, SqliteDatabase):
        assert b'"price":1.50}' in (run / "results.jsonl").read_bytes()
    assert done.err.index("running the query") < done.err.index("6 rows of the query copied to run/query-")
    assert copies(run)[0].stat().st_mode & 0o077 == 0
    for command in (("show", "run", "--json"), ("retry", "run", "--json")):
        assert llmbatch(*command).json["rows"]["ok"] == 6
    tickets.execute("drop table tickets")
    assert llmbatch("export", "run", "--to", tickets.address, "--table", "labels").code == 0
    assert tickets.execute("select id from labels order by id") == [(n,) for n in range(6)]


def test_a_stopped_run_resumes_with_its_copy(llmbatch: Program, endpoint: StartEndpoint) -> None:
    address = add_table(llmbatch.folder / "my.db", 20)
    database = SqliteDatabase(address, str(llmbatch.folder / "my.db"))
    stopping, whole = endpoint("--fault", "quota@8"), endpoint()
    stopped = llmbatch("classify", address, "--base-url", stopping.url, "--concurrency", "1", *ASKED)
    assert stopped.code == 4, stopped.err
    database.execute("delete from tickets where id < 12")
    add(database, 1, first=90)
    again = llmbatch("classify", address, "--base-url", whole.url, *ASKED)
    assert (again.code, "resumes with the rows copied at" in again.err) == (0, True)
    assert [row["id"] for row in views(llmbatch.folder / "run")["results"]] == list(range(20))
    after = llmbatch("classify", address, "--base-url", whole.url, *ASKED)
    assert (after.code, "9 rows of the query copied" in after.err) == (0, True), after.err
    assert [row["id"] for row in views(llmbatch.folder / "run")["results"]] == [*range(12, 20), 90]
    asked = whole.requests
    database.execute("delete from tickets")
    nothing = llmbatch("classify", address, "--base-url", whole.url, *ASKED, "--json")
    assert (nothing.code, nothing.json["rows"]["total"], whole.requests) == (0, 0, asked)


def test_a_folder_belongs_to_its_query(llmbatch: Program) -> None:
    address = add_table(llmbatch.folder / "my.db")
    assert llmbatch("classify", address, "--query", QUERY).code == 0
    (run,) = llmbatch.folder.glob("*.llmbatch")
    before = views(run)
    done = llmbatch("classify", address, "--query", f"{QUERY} limit 1")
    assert (done.code, f"({QUERY}), not of" in " ".join(done.err.split())) == (2, True), done.err
    assert views(run) == before
    assert llmbatch("classify", address, "--query", f"{QUERY} limit 1", "--out", run).code == 0
    assert len(views(run)["results"]) == 1


def test_other_commands_read_a_query_and_leave_nothing_behind(llmbatch: Program) -> None:
    address = add_table(llmbatch.folder / "my.db")
    look = llmbatch("input", address, "--query", QUERY, "--json").json["inputs"][0]
    assert (look["rows"], look["fields"], look["text_fields"], look["id_field"]) == (
        2,
        ["id", "body", "price"],
        ["body"],
        "id",
    )
    estimate = llmbatch("estimate", address, "--query", QUERY, "--json").json
    assert estimate["models"][0]["rows"]["total"] == 2
    arms = ("--model", "gpt-6-luna", "--model", "gpt-4o-mini")
    assert llmbatch("compare", address, "--query", QUERY, *arms, "--out", "compared").code == 0
    assert {path.name for path in llmbatch.folder.iterdir()} - {"my.db"} == {"compared"}


def test_a_query_can_return_unusual_columns_and_rows(llmbatch: Program, tmp_path: Path) -> None:
    database = SqliteDatabase(f"sqlite:///{tmp_path}/my.db", str(tmp_path / "my.db"))
    text = "cast(x'53657276657220ff' as text)"
    query = f"""select 'The server crashed.' as note, 1 as id, 2 as id, '[{{"a": 1}}]' as items, 5
        union all select {text}, 3, 4, null, 5 union all select null, 6, 7, null, 5"""
    done = llmbatch("classify", database.address, "--out", "run", "--query", query)
    assert (done.code, "no such file" in done.err) == (2, True)
    database.execute("create table t (id int)")
    done = llmbatch("classify", database.address, "--out", "run", "--query", query)
    assert done.code == 3, done.err
    assert "columns of the same name called id_2" in done.err
    found = views(llmbatch.folder / "run")
    assert [(row["id"], row["id_2"], row["items"], row["5"]) for row in found["results"]] == [(1, 2, '[{"a": 1}]', 5)]
    assert [(row["error"]["kind"], row["error"]["line"]) for row in found["failed"]] == [
        ("bad_encoding", 2),
        ("missing_text", 3),
    ]


def test_a_single_row_with_a_list_of_objects_is_one_row(llmbatch: Program, postgresql: Database) -> None:
    query = """select 'The contract binds both parties.' as clause, '[{"a": 1.10}, {"a": 2}]'::jsonb as list"""
    assert llmbatch("classify", postgresql.address, "--out", "run", "--query", query).code == 0
    assert b'"list":[{"a":1.10},{"a":2}]' in (llmbatch.folder / "run" / "results.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["docs.jsonl", "--query", "select 1"], "--query needs a database"),
        (["sqlite:///my.db"], "needs a --query; its tables: tickets"),
        (["sqlite:///my.db", "--query", "select nix from tickets"], "the query failed: no such column: nix"),
        (["sqlite:///my.db", "--query", "delete from tickets"], "may only read"),
        (["sqlite:///my.db", "sqlite:///my.db", "--query", "select 1"], "given twice"),
        (["mysql://u:secret@h/d", "--query", "select 1"], "only SQLite and PostgreSQL"),
        (["postgresql://u:secret/@h/d", "--query", "select 1"], "write them as %40"),
        (["postgresql://u:secret@127.0.0.1:1/d", "--query", "select 1"], "cannot connect"),
        (["sqlite:///my.db", "--query", QUERY, "--text-field", "bdy"], "'bdy'"),
    ],
)
def test_a_query_that_fails_leaves_nothing_behind(llmbatch: Program, arguments: list[str], said: str) -> None:
    add_table(llmbatch.folder / "my.db")
    (llmbatch.folder / "docs.jsonl").write_text('{"text": "a"}\n')
    before = {path.name for path in llmbatch.folder.iterdir()}
    done = llmbatch("classify", *arguments)
    assert (done.code, said in " ".join(done.err.split()), "secret" in done.err) == (2, True, False), done.err
    assert {path.name for path in llmbatch.folder.iterdir()} == before


def add_table(file: Path, count: int = 2) -> str:
    """A file with tickets; returns its URL relative to its folder."""
    database = SqliteDatabase("", str(file))
    database.execute("create table tickets (id integer, body text, price numeric(9, 2))")
    add(database, count)
    return f"sqlite:///{file.name}"


def test_the_password_is_written_nowhere(llmbatch: Program, postgresql: Database) -> None:
    query = ("--query", "select 'The server crashed.' as text")
    address = f"{postgresql.address}&password=pass%2Fw%3Frd%401"
    done = llmbatch("classify", address, "--out", "run", "--log-file", "log.jsonl", *query)
    assert done.code == 0, done.err
    elsewhere = llmbatch("classify", address, "--out", "run", "--query", "select 'b' as text", "--json")
    assert "'postgresql://app@/" in json.loads((llmbatch.folder / "run" / "run.json").read_bytes())["command"]
    kept = b"".join(path.read_bytes() for path in llmbatch.folder.rglob("*") if path.is_file())
    for secret in ("pass%2F", "pass/w", "w%3Frd"):
        assert secret not in done.out + done.err + elsewhere.out + elsewhere.err
        assert secret.encode() not in kept


def test_ctrl_c_ends_a_query_that_does_not_end(llmbatch: Program) -> None:
    add_table(llmbatch.folder / "my.db")
    endless = "with recursive n (i) as (select 1 union all select i + 1 from n) select count(*) as text from n"
    running = llmbatch.start("classify", "sqlite:///my.db", "--out", "run", "--query", endless)
    try:
        wait_until((llmbatch.folder / "run" / ".lock").exists, running)
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=60)
    finally:
        running.kill()
    assert running.returncode == 130
    assert not (llmbatch.folder / "run").exists()


def test_a_strangers_folder_opens_no_database(llmbatch: Program, tmp_path: Path) -> None:
    add_table(llmbatch.folder / "my.db")
    assert llmbatch("classify", "sqlite:///my.db", *ASKED).code == 0
    run = llmbatch.folder / "run"
    (copy,) = copies(run)
    (llmbatch.folder / "my.db").unlink()
    llmbatch.env["XDG_STATE_HOME"] = str(tmp_path / "other")
    assert llmbatch("export", "run").code == 0, "the copy is in the folder itself"
    secret = tmp_path / "key"
    copy.rename(secret)
    copy.symlink_to(secret)
    done = llmbatch("export", "run")
    assert (done.code, "symbolic link" in done.err) == (2, True), done.err
    copy.unlink()
    gone = llmbatch("export", "run")
    assert (gone.code, "the copy of sqlite:///my.db is gone" in " ".join(gone.err.split())) == (2, True), gone.err


def test_a_query_from_python(tmp_path: Path, endpoint: StartEndpoint) -> None:
    file = tmp_path / "my.db"
    add_table(file)
    run = package.classify(
        f"sqlite:///{file}", query=QUERY, base_url=endpoint().url, out=tmp_path / "run", review_below=0
    )
    assert [result.id for result in run] == [0, 1]


def test_a_database_in_use_by_others_can_be_read(llmbatch: Program) -> None:
    add_table(llmbatch.folder / "my.db")
    writer = sqlite3.connect(llmbatch.folder / "my.db", isolation_level=None)
    writer.execute("pragma journal_mode = wal")
    writer.execute("begin immediate")
    writer.execute("delete from tickets")
    done = llmbatch("classify", "sqlite:///my.db", *ASKED)
    writer.close()
    assert (done.code, len(read_rows(llmbatch.folder / "run" / "results.jsonl"))) == (0, 2), done.err
