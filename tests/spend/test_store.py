"""The store: private, shared, and explicit about what it does not know."""

import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from llmbatch.core.errors import StorageFailed
from llmbatch.core.sqlite_store import checksum
from llmbatch.core.usage import UsageTotals
from llmbatch.spend.account import settle_dead
from llmbatch.spend.book import Balance, SessionInfo, Settlement
from llmbatch.spend.schema import SCHEMA
from llmbatch.spend.store import SpendStore

DAY = "2026-11-25"


def session(name: str, *, leased: bool = True, book: str = "real") -> SessionInfo:
    return SessionInfo(f"{DAY}T12:00:00Z-{name}", book, f"/{name}", "m", "t", "p", leased, f"{DAY}T12:00:00Z")


def test_folder_and_file_are_private(store: SpendStore) -> None:
    assert oct(store.path.parent.stat().st_mode & 0o777) == "0o700"
    assert oct(store.path.stat().st_mode & 0o777) == "0o600"


def test_a_lease_is_a_quarter_of_the_remaining_budget_and_never_more_than_all_of_it(store: SpendStore) -> None:
    one = session("a")
    store.begin_session(one)
    assert store.take(one, DAY, 1000, need_nanousd=10, want_nanousd=5000) == 250
    assert store.take(one, DAY, 1000, need_nanousd=10, want_nanousd=20) == 20
    assert store.take(one, DAY, 1000, need_nanousd=700, want_nanousd=700) == 700
    assert store.take(one, DAY, 1000, need_nanousd=31, want_nanousd=31) == 0
    assert store.total("real", DAY).charged_nanousd == 970


def test_the_offline_book_is_separate(store: SpendStore) -> None:
    real, offline = session("a"), session("b", book="offline")
    store.begin_session(real)
    store.begin_session(offline)
    assert store.take(offline, DAY, 1000, need_nanousd=1000, want_nanousd=1000) == 1000
    assert store.take(real, DAY, 1000, need_nanousd=1000, want_nanousd=1000) == 1000


def test_an_ended_session_leases_and_writes_nothing_more(store: SpendStore) -> None:
    one = session("a")
    store.begin_session(one)
    store.record(one.id, {DAY: Balance(5, 5)}, {}, ended_at="now")
    store.record(one.id, {DAY: Balance(0, 900)}, {}, ended_at=None)
    assert store.take(one, DAY, 1000, need_nanousd=1, want_nanousd=1) == 0
    assert store.total("real", DAY).charged_nanousd == 5


def test_a_live_session_is_never_settled(store: SpendStore) -> None:
    one = session("a")
    lock = store.begin_session(one)
    store.take(one, DAY, 1000, need_nanousd=200, want_nanousd=200)
    settle_dead(store, lambda *_: Settlement({}, 0))
    assert store.total("real", DAY).held == {one.id: 200}
    lock.release()
    settle_dead(store, lambda *_: None)
    assert store.total("real", DAY).held == {one.id: 200}, "what cannot be determined stays charged"
    settle_dead(store, lambda *_: Settlement({DAY: UsageTotals(rows=1, priced_nanousd=7)}, 7))
    total = store.total("real", DAY)
    assert (total.spent_nanousd, total.charged_nanousd, total.held) == (7, 7, {})


def test_a_session_whose_lock_file_is_missing_is_not_taken_for_dead(store: SpendStore) -> None:
    one = session("a")
    store.begin_session(one)
    (store.path.parent / "spend.sqlite3.sessions" / one.id).unlink()
    settle_dead(store, lambda *_: Settlement({}, 0))
    assert store.open_sessions() == [(one.id, "/a")]


def test_the_holder_of_the_run_folder_settles_its_earlier_sessions_without_their_locks(store: SpendStore) -> None:
    ours, others = session("a"), session("b")
    for one in (ours, others):
        store.begin_session(one)
        store.take(one, DAY, 1000, need_nanousd=200, want_nanousd=200)
        (store.path.parent / "spend.sqlite3.sessions" / one.id).unlink()
    settle_dead(store, lambda *_: Settlement({}, 7), ours=ours.run)
    assert store.open_sessions() == [(others.id, others.run)]
    assert store.total("real", DAY).charged_nanousd == 207


def test_a_session_killed_after_midnight_leaves_the_first_day_unchanged(store: SpendStore) -> None:
    one, next_day = session("a"), "2026-11-26"
    store.begin_session(one).release()
    store.record(one.id, {DAY: Balance(300, 320), next_day: Balance(50, 200)}, {}, ended_at=None)
    settle_dead(store, lambda *_: Settlement({}, 410))
    assert store.total("real", DAY).charged_nanousd == 320
    assert store.total("real", next_day).charged_nanousd == 110


def test_a_settlement_charges_everything_known_to_be_billed(store: SpendStore) -> None:
    one = session("a")
    store.begin_session(one).release()
    store.take(one, DAY, 1000, need_nanousd=100, want_nanousd=100)
    figures = {DAY: UsageTotals(priced_nanousd=150, possibly_billed_nanousd=70)}
    settle_dead(store, lambda *_: Settlement(figures, 220))
    assert store.total("real", DAY).charged_nanousd == 150


def test_no_settlement_charges_more_than_the_lease(store: SpendStore) -> None:
    leased, free = session("a"), session("b", leased=False)
    for one in (leased, free):
        store.begin_session(one).release()
        store.record(one.id, {DAY: Balance(10, 100)}, {}, ended_at=None)
    settle_dead(store, lambda *_: Settlement({}, 130))
    assert store.total("real", DAY).charged_nanousd == 100 + 130


def test_an_alert_is_claimed_once(store: SpendStore) -> None:
    claims = [
        store.claim_alert("real", DAY, cap, percent) for cap, percent in ((9, 80.0), (9, 80.0), (9, 50.0), (8, 80.0))
    ]
    assert claims == [True, False, True, True]


def test_a_store_that_is_locked_for_long_is_reported_in_one_line(store: SpendStore) -> None:
    impatient = SpendStore(store.path, busy_timeout_s=0.01)
    holder = sqlite3.connect(store.path)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageFailed, match=r"cannot be used \(database is locked\)"):
        impatient.begin_session(session("a"))
    holder.close()
    impatient.begin_session(session("a"))


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        ("CREATE TABLE mine (x)", "another program's database"),
        (f"PRAGMA user_version = {SCHEMA.format + 1}", "newer llmbatch"),
    ],
)
def test_a_foreign_file_is_left_alone(tmp_path: Path, spoil: str, why: str) -> None:
    db = sqlite3.connect(tmp_path / "db")
    db.execute(spoil)
    db.commit()
    db.close()
    with pytest.raises(StorageFailed, match=why):
        SpendStore(tmp_path / "db")


def filled(path: Path) -> None:
    store = SpendStore(path)
    for name in ("a", "b"):
        one = session(name)
        store.begin_session(one)
        store.take(one, DAY, 10**9, need_nanousd=10, want_nanousd=40_000)
        figures = UsageTotals(rows=3, requests=4, priced_nanousd=1000)
        store.record(one.id, {DAY: Balance(1000, 40_000)}, {DAY: figures}, ended_at=None)
    store.claim_alert("real", DAY, 10**9, 80.0)
    store.close()


def contents(path: Path) -> tuple[object, ...]:
    with closing(SpendStore(path)) as store:
        by = tuple(store.sums(column, "real", DAY, DAY) for column in ("day", "model", "run", "prompt"))
        return store.total("real", DAY), by, store.open_sessions(), store.unsettled("real", DAY, DAY)


def test_no_flipped_bit_changes_its_contents_unnoticed(tmp_path: Path) -> None:
    path = tmp_path / "spend.sqlite3"
    filled(path)
    whole, expected, chance = path.read_bytes(), contents(path), Random(1)
    used = [place for place, byte in enumerate(whole) if byte]
    for place in chance.sample(used, min(len(used), FLIPS)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << chance.randrange(8)]) + whole[place + 1 :])
        try:
            found = contents(path)
        except StorageFailed:
            continue
        assert found == expected, place


def test_a_store_of_format_1_is_migrated(tmp_path: Path) -> None:
    path = tmp_path / "spend.sqlite3"
    filled(path)
    expected = contents(path)
    with closing(sqlite3.connect(path)) as db:
        db.executescript(FORMAT_1)
    assert contents(path) == expected
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (SCHEMA.format,)
        assert db.execute("SELECT count(*) FROM sqlite_master WHERE name LIKE 'old%'").fetchone() == (0,)


def test_a_store_of_format_2_is_migrated_and_a_damaged_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "spend.sqlite3"
    filled(path)
    expected = contents(path)
    had = [name for name in SCHEMA.summed["spend"] if name != "cache_unreported_tokens"]
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.create_function("row_checksum", -1, checksum, deterministic=True)
        db.execute("ALTER TABLE spend DROP COLUMN cache_unreported_tokens")
        db.execute(f"UPDATE spend SET checksum = row_checksum({', '.join(had)})")
        db.execute("PRAGMA user_version = 2")
    damaged = tmp_path / "damaged.sqlite3"
    damaged.write_bytes(path.read_bytes())
    assert contents(path) == expected
    with closing(sqlite3.connect(damaged, isolation_level=None)) as db:
        db.execute("UPDATE spend SET input_tokens = input_tokens + 1")
    with pytest.raises(StorageFailed, match="fail their checksums"):
        contents(damaged)


FLIPS = 100
FORMAT_1 = f"""
PRAGMA journal_mode = WAL;
BEGIN;
CREATE TABLE s1 (id TEXT PRIMARY KEY, book TEXT NOT NULL, run TEXT NOT NULL, model TEXT NOT NULL, task TEXT NOT NULL,
    prompt TEXT NOT NULL, leased INTEGER NOT NULL, started_at TEXT NOT NULL, ended_at TEXT);
INSERT INTO s1 SELECT {", ".join(SCHEMA.summed["session"])} FROM session;
CREATE TABLE p1 (session TEXT NOT NULL REFERENCES session (id), day TEXT NOT NULL,
    {", ".join(f"{name} INTEGER NOT NULL DEFAULT 0" for name in SCHEMA.summed["spend"][2:])},
    PRIMARY KEY (session, day)) WITHOUT ROWID;
INSERT INTO p1 SELECT {", ".join(SCHEMA.summed["spend"])} FROM spend;
CREATE TABLE a1 (book TEXT NOT NULL, day TEXT NOT NULL, cap_nusd INTEGER NOT NULL, percent REAL NOT NULL,
    PRIMARY KEY (book, day, cap_nusd, percent)) WITHOUT ROWID;
INSERT INTO a1 SELECT {", ".join(SCHEMA.summed["alert"])} FROM alert;
DROP TABLE spend; DROP TABLE session; DROP TABLE alert;
ALTER TABLE s1 RENAME TO session; ALTER TABLE p1 RENAME TO spend; ALTER TABLE a1 RENAME TO alert;
CREATE INDEX spend_day ON spend (day);
PRAGMA user_version = 1;
COMMIT;
"""
"""Makes of a store what the version without checksums would have made."""
