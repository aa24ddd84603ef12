"""The spend book shared by several machines: serialized changes, and lost connections."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Barrier

import pytest

from llmbatch.core.errors import StorageFailed, UsageError
from llmbatch.core.usage import UsageTotals
from llmbatch.databases import parse_address
from llmbatch.runs.spend_stores import parse_spend_store
from llmbatch.runs.spend_stores.postgresql import PostgresqlSpendBook
from llmbatch.spend.account import settle_dead
from llmbatch.spend.book import Balance, Settlement
from tests.databases.server import Database, postgresql, postgresql_server
from tests.spend.test_store import DAY, session

__all__ = ["postgresql", "postgresql_server"]


def test_machines_that_start_and_lease_at_the_same_time_stay_within_the_cap(postgresql: Database) -> None:
    together = Barrier(4, timeout=30)

    def machine(name: str) -> int:
        with closing(PostgresqlSpendBook(parse_address(postgresql.address))) as book:
            book.begin_session(info := session(name))
            together.wait()
            return sum(book.take(info, DAY, 1_000, need_nanousd=10, want_nanousd=50) for _ in range(30))

    with ThreadPoolExecutor(4) as machines:
        taken = list(machines.map(machine, "abcd"))
    assert 990 < sum(taken) <= 1_000
    assert postgresql.execute("select sum(charged_nusd)::bigint from llmbatch_spend") == [(sum(taken),)]


def test_a_lost_connection_is_reported_and_reopened(postgresql: Database) -> None:
    with closing(PostgresqlSpendBook(parse_address(postgresql.address))) as book:
        book.begin_session(one := session("a"))
        postgresql.disconnect_others()
        with pytest.raises(StorageFailed, match="spend store cannot be used"):
            book.take(one, DAY, 1_000, need_nanousd=10, want_nanousd=10)
        assert book.take(one, DAY, 1_000, need_nanousd=10, want_nanousd=10) == 10


def test_only_the_next_session_on_a_folder_settles_a_killed_one(postgresql: Database) -> None:
    with closing(PostgresqlSpendBook(parse_address(postgresql.address))) as book:
        book.begin_session(one := session("a"))
        book.take(one, DAY, 1_000, need_nanousd=100, want_nanousd=100)
        book.record(one.id, {DAY: Balance(30, 100)}, {}, ended_at=None)
        settle_dead(book, lambda *_: Settlement({}, 40))
        assert (book.total("real", DAY).charged_nanousd, book.sign_of_life(one.id).is_held()) == (100, True)
        postgresql.execute("update llmbatch_sessions set seen_at = seen_at - interval '2 minutes'")
        assert not book.sign_of_life(one.id).is_held(), "no one waits for it"
        assert book.unsettled("real", DAY, DAY) == [(one.id, one.run, 70)]
        figures = {DAY: UsageTotals(rows=1, priced_nanousd=40)}
        settle_dead(book, lambda *_: Settlement(figures, 40), ours=one.run)
        assert book.total("real", DAY).charged_nanousd == 40
        assert book.sums("run", "real", DAY, DAY) == {one.run: figures[DAY]}
        assert (book.open_sessions(), book.claim_alert("real", DAY, 1, 80.0)) == ([], True)
        assert not book.claim_alert("real", DAY, 1, 80.0)


def test_an_sqlite_store_is_named_by_its_file() -> None:
    with pytest.raises(UsageError, match="as a file path"):
        parse_spend_store("sqlite:///spend.sqlite3")
