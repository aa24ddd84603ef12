"""The answer cache: answers are read back, its size limit holds, and errors are reported."""

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from llmbatch.cache import AnswerStore, CachedAnswer, StoreUnusableError

ANSWER = CachedAnswer("legal", 0.9, None, "clean", "gpt-6-luna", "gpt-6-luna", "req-1", "run-1", 12_345)
STORED = (
    b'{"category":"legal","confidence":0.9,"reasoning":null,"parse":"clean","model":"gpt-6-luna",'
    b'"response_model":"gpt-6-luna","request_id":"req-1","run_id":"run-1","confidence_from":"reported",'
    b'"runner_up":null,"cost_nusd":12345}'
)
"""The same as the file has it, in all versions."""
ROOMY = 1 << 30
DAY_S = 86_400


def key(number: int) -> bytes:
    return number.to_bytes(16)


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[AnswerStore]:
    opened = AnswerStore(tmp_path / "cache" / "answers.sqlite", clock=clock)
    yield opened
    opened.close()


def test_an_answer_is_read_back_as_it_was_stored(store: AnswerStore) -> None:
    store.add({key(1): ANSWER}, limit_bytes=ROOMY)
    assert store.look_up([key(1), key(2)]) == {key(1): ANSWER}


def test_an_answer_is_stored_under_the_field_names_of_the_first_version(store: AnswerStore) -> None:
    store.add({key(1): ANSWER}, limit_bytes=ROOMY)
    with closing(sqlite3.connect(store.path)) as connection:
        ((raw,),) = connection.execute("SELECT answer FROM answers")
    assert raw == STORED


def test_a_later_answer_replaces_an_earlier_one(store: AnswerStore) -> None:
    other = replace(ANSWER, category="other")
    store.add({key(1): ANSWER}, limit_bytes=ROOMY)
    store.add({key(1): other}, limit_bytes=ROOMY)
    assert store.look_up([key(1)]) == {key(1): other}


def test_answers_older_than_the_maximum_age_are_not_returned(store: AnswerStore, clock: Clock) -> None:
    store.add({key(1): ANSWER}, limit_bytes=ROOMY)
    clock.now += 10 * DAY_S
    assert store.look_up([key(1)], max_age_days=9) == {}
    assert store.look_up([key(1)], max_age_days=11) == {key(1): ANSWER}


def test_beyond_its_limit_it_evicts_the_least_recently_used_answers(store: AnswerStore, clock: Clock) -> None:
    limit = 1_000_000
    for group in range(8):
        clock.now += 60
        kept = {key(group * 1000 + n): ANSWER for n in range(1000)}
        store.add(kept, used=[key(n) for n in range(100)], limit_bytes=limit)
    assert store.path.stat().st_size < 1.5 * limit
    assert len(store.look_up([key(n) for n in range(100)])) == 100, "used again and again"
    assert store.look_up([key(n) for n in range(1000, 1100)]) == {}
    assert len(store.look_up([key(n) for n in range(7000, 7100)])) == 100


def test_its_files_are_private(store: AnswerStore) -> None:
    store.add({key(1): ANSWER}, limit_bytes=ROOMY)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in store.path.parent.iterdir()}
    assert len(modes) == 3
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(store.path.parent.stat().st_mode) == 0o700


def test_statistics_and_removal_by_age(store: AnswerStore, clock: Clock) -> None:
    store.add({key(1): ANSWER}, limit_bytes=ROOMY)
    clock.now += 3 * DAY_S
    store.add({key(2): replace(ANSWER, model="other")}, limit_bytes=ROOMY)
    figures = store.figures()
    assert (figures.answers, figures.by_model) == (2, {"gpt-6-luna": 1, "other": 1})
    assert (figures.oldest, figures.newest) == (clock.now - 3 * DAY_S, clock.now)
    assert store.remove(older_than_days=2) == 1
    assert store.remove() == 1
    assert store.figures().answers == 0


@pytest.mark.parametrize(
    ("content", "message"), [(b"not a database, by any means" * 100, "not a database"), (None, "directory")]
)
def test_a_path_that_is_not_a_store_is_reported(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "answers.sqlite"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(StoreUnusableError, match=message):
        AnswerStore(path)


def test_a_store_of_another_format_is_left_alone(store: AnswerStore) -> None:
    connection = sqlite3.connect(store.path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreUnusableError, match="99"):
        AnswerStore(store.path)


def test_a_locked_store_is_given_up(store: AnswerStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmbatch.cache.store._BUSY_S", 0.01)
    other = AnswerStore(store.path)
    holder = sqlite3.connect(store.path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreUnusableError, match="locked"):
        other.add({key(1): ANSWER}, limit_bytes=ROOMY)
    holder.execute("ROLLBACK")
    other.add({key(1): ANSWER}, limit_bytes=ROOMY)
    assert store.look_up([key(1)]) == {key(1): ANSWER}, "each sees what the other wrote"


def test_a_store_that_another_process_is_creating_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        with ThreadPoolExecutor(1) as pool:
            opening = pool.submit(AnswerStore, path)
            with pytest.raises(TimeoutError):
                opening.result(timeout=0.1)
            other.execute("COMMIT")
            opening.result(timeout=60).close()


def test_several_processes_write_at_the_same_time(tmp_path: Path) -> None:
    path = tmp_path / "new" / "answers.sqlite"
    script = (
        "import sys; from pathlib import Path\n"
        "from tests.cache.test_store import ANSWER, ROOMY, AnswerStore, key\n"
        "store = AnswerStore(Path(sys.argv[1]))\n"
        "for n in range(20): store.add({key(int(sys.argv[2]) * 1000 + n): ANSWER}, limit_bytes=ROOMY)\n"
    )
    command = [sys.executable, "-c", script, str(path)]
    root = Path(__file__).parents[2]
    processes = [subprocess.Popen([*command, str(n)], cwd=root, env={**os.environ}) for n in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    store = AnswerStore(path)
    assert store.figures().answers == 60
    store.close()


def test_no_flipped_bit_changes_an_answer(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite"
    kept = {key(n): replace(ANSWER, confidence=n / 100, request_id=f"req-{n}") for n in range(20)}
    with closing(AnswerStore(path)) as store:
        store.add(kept, limit_bytes=ROOMY)
    whole, chance = path.read_bytes(), Random(1)
    used = [place for place, byte in enumerate(whole) if byte]
    for place in chance.sample(used, 150):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << chance.randrange(8)]) + whole[place + 1 :])
        with suppress(StoreUnusableError), closing(AnswerStore(path)) as store:
            assert store.look_up(kept).items() <= kept.items(), place
            assert store.figures().by_model.keys() <= {ANSWER.model}, place


def test_a_store_of_format_1_is_migrated(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(
            "PRAGMA journal_mode = WAL; CREATE TABLE answers (key BLOB PRIMARY KEY, answered_at INTEGER NOT NULL,"
            " used_at INTEGER NOT NULL, model TEXT NOT NULL, answer BLOB NOT NULL) WITHOUT ROWID;"
            "CREATE INDEX answers_by_use ON answers (used_at); PRAGMA user_version = 1;"
        )
        db.execute("INSERT INTO answers VALUES (?, 1, 1, ?, ?)", (key(1), ANSWER.model, STORED))
        db.commit()
    with closing(AnswerStore(path)) as store:
        assert store.look_up([key(1)]) == {key(1): ANSWER}
    with closing(AnswerStore(path)) as store:
        assert store.look_up([key(1)]) == {key(1): ANSWER}
