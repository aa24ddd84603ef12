"""However a run is divided, killed and redivided, its result equals that of the undivided run."""

import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmbatch import classify
from llmbatch.core.ledger_line import FAILED, LedgerLine, RowError
from llmbatch.core.rows import Row
from llmbatch.core.sent import Sent
from llmbatch.observe.observer import Observer
from llmbatch.runs.folder import RunFolder, load_record
from llmbatch.runs.input import RunInput
from llmbatch.runs.ledger.log import Ledger
from llmbatch.runs.ledger.recover import read_lines
from llmbatch.runs.ledger.sent import SentLog
from llmbatch.runs.listing import list_runs
from llmbatch.runs.options import Tolerance
from llmbatch.runs.recorded_plan import recorded_plan
from llmbatch.runs.shard import Shard
from llmbatch.runs.shards import merge_shards, output_locked, record_whole, shard_locked, take_over, whole_locked
from llmbatch.session.merging import merge_run
from llmbatch.session.settlement import actual_spend
from llmbatch.session.standing import show_run
from tests.e2e.program import documents, write_rows
from tests.ledgers import complete, lines_of

VIEWS = ("results.jsonl", "review.jsonl", "failed.jsonl", "sample.jsonl")
ROWS = 30


@pytest.fixture(scope="module")
def undivided(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run with duplicate texts, unreadable rows and a sample."""
    folder = tmp_path_factory.mktemp("undivided")
    rows: list[Any] = documents(ROWS)
    rows[7:7] = [rows[3], b"no JSON", {**rows[5], "id": 5}, {"id": "empty", "text": ""}]
    write_rows(folder / "docs.jsonl", rows)
    classify(folder / "docs.jsonl", offline=True, out=folder / "run", review_below=0.6, sample="20%")
    return RunFolder(folder / "run")


@dataclass(frozen=True)
class Session:
    """One session on a shard, or on the whole run (`number` 0), which ends after `answers` rows.

    Of these, the first `fails` fail. It is killed if it leaves a request in flight or a torn line.
    """

    total: int
    number: int
    answers: int
    fails: int
    in_flight: bool
    torn: int
    merges: bool
    forgets: bool


def sessions() -> st.SearchStrategy[Session]:
    return st.integers(1, 5).flatmap(
        lambda total: st.builds(
            Session,
            total=st.just(total),
            number=st.integers(0, total),
            answers=st.integers(0, ROWS),
            fails=st.integers(0, 3),
            in_flight=st.booleans(),
            torn=st.integers(0, 200),
            merges=st.booleans(),
            forgets=st.booleans(),
        )
    )


class Divided:
    """The same run in shards: the answers are those of the undivided one."""

    def __init__(self, undivided: RunFolder, folder: Path) -> None:
        self.whole = RunFolder(folder)
        self.record = load_record(undivided)
        self.plan = recorded_plan(self.record)
        self.answers = {line.key: line for _, line in read_lines(undivided.ledger) if line.attempts}
        self.asked: Counter[str] = Counter()
        """Answers that were paid for, by their keys."""
        self.lost: set[str] = set()
        """Sessions that left a request in flight."""
        self._times = count()
        self.whole.make()
        record_whole(self.whole, self.record)

    def run(self, session: Session, name: str) -> None:
        """A session like one of `classify`, until it ends or is killed."""
        if session.number == 0:
            with whole_locked(self.whole, lambda _: None):
                self._work(self.whole, None, session, name)
        else:
            shard = Shard(session.number, session.total)
            folder = self.whole.shard(shard)
            with folder.created(), shard_locked(folder, shard):
                record_whole(self.whole, self.record)
                take_over(folder, shard, lambda _: None)
                self._work(folder, shard, session, name)
        if session.merges:
            merge_shards(self.whole, lambda _: None)
        if session.forgets:
            for noted in self.whole.path.rglob("*.gathered"):
                noted.unlink()

    def _work(self, folder: RunFolder, shard: Shard | None, session: Session, name: str) -> None:
        record, sent = self.record.model_copy(update={"shard": shard}), SentLog(folder.sent_log)
        self._check_lost_requests(folder, sent)
        ledger, _ = Ledger.open(folder.ledger, on_line=lambda *_: None)
        record.save(folder)
        sent.begin(ledger.size, name)
        wanted = [key for key in self._keys(folder, shard) if not ledger.is_done(key)]
        for number, key in enumerate(wanted[: session.answers]):
            sent.record(Sent(key, 1, 100))
            line = self._line(key, fails=number < session.fails)
            ledger.append(line)
            sent.settle(key, 1)
            self.asked[key] += line.status != FAILED
        left = wanted[session.answers : session.answers + 1] if session.in_flight else []
        for key in left:
            sent.record(Sent(key, 1, 100))
            self.lost.add(name)
        ledger.close()
        sent.close(settled=not (left or session.torn))
        if session.torn and left:
            with folder.ledger.open("ab") as file:
                file.write(complete(self._line(left[0], fails=False))[: session.torn])

    def _check_lost_requests(self, folder: RunFolder, sent: SentLog) -> None:
        """Lines that were taken over later do not answer requests that a killed session sent."""
        if (left := sent.leftovers()) is None:
            return
        settlement = actual_spend(left.started_at, str(folder.path))
        assert settlement is not None
        requests = sum(usage.possibly_billed_requests for usage in settlement.figures.values())
        assert requests == (left.started_at in self.lost)

    def _keys(self, folder: RunFolder, shard: Shard | None) -> Iterator[str]:
        source = RunInput.again(self.record.model_copy(update={"shard": shard}), folder)
        rows = (row for row in source.read_again(lambda _: None) if isinstance(row, Row))
        return iter(dict.fromkeys(self.plan.key(row.text) for row in rows))

    def _line(self, key: str, *, fails: bool) -> LedgerLine:
        if not fails:
            return self.answers[key]
        time = f"2026-11-24T00:00:00.{next(self._times):06}Z"
        error = RowError("timeout", None, "no answer")
        return msgspec.structs.replace(
            self.answers[key], status=FAILED, category=None, confidence=None, error=error, started_at=time
        )


@pytest.fixture
def folder(undivided: RunFolder) -> Iterator[Path]:
    """Beside the undivided run: failed rows name their file by its relative path."""
    folder = undivided.path.with_name("divided")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=st.lists(sessions(), max_size=6), total=st.integers(1, 6))
def test_any_division_gives_the_result_of_the_undivided_run(
    undivided: RunFolder, folder: Path, before: list[Session], total: int
) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    run = Divided(undivided, folder)
    for number, session in enumerate(before):
        run.run(session, f"2026-11-24T00:00:{number:02}Z-{number}")
    for number in range(1, total + 1):
        last = Session(total, number, ROWS, 0, in_flight=False, torn=0, merges=number % 2 == 0, forgets=False)
        run.run(last, f"2026-11-25T00:00:{number:02}Z-{number}")
    summary = merge_run(folder, Observer(), Tolerance(count=2))
    assert summary.exit_code == 0
    assert set(run.asked.values()) == {1}, "no answer is paid for twice"
    for name in VIEWS:
        assert (folder / name).read_bytes() == (undivided.path / name).read_bytes(), name
    lines = Counter(line.to_record() for _, line in read_lines(run.whole.ledger))
    assert set(lines.values()) == {1}, "no cost is counted twice"
    assert sum(line.status != FAILED for _, line in read_lines(run.whole.ledger)) == len(run.answers)


@given(total=st.integers(1, 50))
def test_each_row_is_in_one_shard(undivided: RunFolder, total: int) -> None:
    record = load_record(undivided)
    plan = recorded_plan(record)
    rows = list(RunInput.again(record, undivided).read_again(lambda _: None))
    parts = [list(Shard(n, total).rows(rows, plan.key)) for n in range(1, total + 1)]
    assert sorted(row.index for part in parts for row in part) == [row.index for row in rows]


def test_a_killed_merge_is_completed_by_the_next(undivided: RunFolder, folder: Path) -> None:
    run = Divided(undivided, folder)
    for number in (1, 2):
        run.run(Session(2, number, ROWS, 0, in_flight=False, torn=0, merges=False, forgets=False), f"{number}")
    merge_shards(run.whole, lambda _: None)
    whole = run.whole.ledger.read_bytes()
    lines = Counter(line.to_record() for line in lines_of(run.whole.ledger))
    for size in range(0, len(whole), 777):
        run.whole.ledger.write_bytes(whole[:size])
        with suppress(FileNotFoundError):
            run.whole.ledger.with_suffix(".gathered").unlink()
        merge_shards(run.whole, lambda _: None)
        assert Counter(line.to_record() for line in lines_of(run.whole.ledger)) == lines


def test_an_answer_from_another_shard_does_not_settle_requests_in_flight_here(
    undivided: RunFolder, folder: Path
) -> None:
    run = Divided(undivided, folder)
    for total, number in ((2, 1), (2, 0)):
        run.run(Session(total, number, 3, 0, in_flight=True, torn=0, merges=False, forgets=False), f"killed {number}")
        run.run(Session(1, 1, ROWS, 0, in_flight=False, torn=0, merges=False, forgets=False), "answers all")
        run.run(
            Session(total, number, 0, 0, in_flight=False, torn=0, merges=False, forgets=False),
            "takes over, and looks at what was lost",
        )
        shutil.rmtree(folder)
        run = Divided(undivided, folder)


def test_a_starting_shard_waits_while_outputs_are_written(undivided: RunFolder, folder: Path) -> None:
    run = Divided(undivided, folder)
    whole = Session(1, 1, ROWS, 0, in_flight=False, torn=0, merges=False, forgets=False)
    run.run(whole, "first")
    begun = threading.Event()

    def begin() -> None:
        with shard_locked(run.whole.shard(Shard(1, 1)), Shard(1, 1)):
            begun.set()

    with output_locked(run.whole):
        thread = threading.Thread(target=begin)
        thread.start()
        assert not begun.is_set()
    thread.join()
    assert begun.is_set(), "it was not refused"


def test_a_run_that_was_finished_undivided_waits_for_no_shard(undivided: RunFolder, folder: Path) -> None:
    run = Divided(undivided, folder)
    run.run(Session(2, 1, ROWS, 0, in_flight=False, torn=0, merges=True, forgets=False), "one of two")
    assert any("not begun: 2/2" in note for note in show_run(folder).notes)
    run.run(Session(1, 0, ROWS, 0, in_flight=False, torn=0, merges=False, forgets=False), "the rest")
    assert not any("Shards" in note for note in show_run(folder).notes)


def test_a_list_of_runs_shows_the_state_of_a_divided_run(undivided: RunFolder, folder: Path) -> None:
    def state() -> str:
        return next(run.state for run in list_runs(folder.parent).runs if run.folder == str(folder))

    run, shard = Divided(undivided, folder), Shard(1, 2)
    run.run(Session(2, 1, ROWS, 0, in_flight=False, torn=0, merges=False, forgets=False), "one of two")
    assert state() == "incomplete"
    with shard_locked(run.whole.shard(shard), shard):
        assert state() == "running"
