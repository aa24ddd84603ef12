"""No decision is lost, whichever process writes it and however that process ends."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbatch.core.errors import StorageFailed, UsageError
from llmbatch.runs.decisions import Decision, DecisionLog, text_digest
from tests.decisions.conftest import MakeDecision


def test_a_decision_is_there_when_the_log_is_opened_again(tmp_path: Path, make_decision: MakeDecision) -> None:
    log = DecisionLog(tmp_path / "decisions.jsonl")
    decision = make_decision(id=2**70, note="töricht", model_category="other", model_confidence=0.25)
    log.append(lambda: [decision])
    again = DecisionLog(tmp_path / "decisions.jsonl")
    assert list(again.lines()) == [again.latest(decision.text)] == [decision]
    assert len(again) == 1


def test_reading_creates_no_file(tmp_path: Path, make_decision: MakeDecision) -> None:
    assert DecisionLog(tmp_path / "decisions.jsonl").latest(make_decision().text) is None
    assert list(tmp_path.iterdir()) == []


def test_each_writer_sees_the_others_decisions(tmp_path: Path, make_decision: MakeDecision) -> None:
    ana, ben = (DecisionLog(tmp_path / "decisions.jsonl") for _ in range(2))
    first, second = make_decision(1), make_decision(2, reviewer="ben")
    ana.append(lambda: [first])
    known: list[Decision | None] = []

    def compose() -> list[Decision]:
        known.append(ben.latest(first.text))
        return [second]

    ben.append(compose)
    assert known == [first]
    assert ben.refresh() == (first,)
    assert ana.refresh() == (second,)
    assert ana.refresh() == ()


def test_a_torn_tail_is_not_read_and_the_next_writer_moves_it_aside(
    tmp_path: Path, make_decision: MakeDecision
) -> None:
    path = tmp_path / "decisions.jsonl"
    DecisionLog(path).append(lambda: [make_decision(1)])
    with path.open("ab") as file:
        file.write(b'{"key": "half')
    log = DecisionLog(path)
    assert log.latest(make_decision(1).text) is not None
    log.append(lambda: [make_decision(2)])
    assert (tmp_path / "decisions.torn-1").read_bytes() == b'{"key": "half'
    assert len(DecisionLog(path)) == 2


def test_a_damaged_line_is_refused_with_its_position(tmp_path: Path, make_decision: MakeDecision) -> None:
    path = tmp_path / "decisions.jsonl"
    path.write_bytes(make_decision(1).to_bytes() + b'{"key": "x"}\n')
    with pytest.raises(UsageError, match=r"decisions\.jsonl: line 2 is damaged"):
        DecisionLog(path)


def test_a_failed_write_is_reported_and_leaves_no_trace(
    tmp_path: Path, make_decision: MakeDecision, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = DecisionLog(tmp_path / "decisions.jsonl")
    log.append(lambda: [make_decision(1)])
    before = log.path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(StorageFailed, match="No space left"):
            log.append(lambda: [make_decision(2)])
    assert log.path.read_bytes() == before
    assert log.latest(make_decision(2).text) is None


def test_concurrent_writers_lose_nothing(tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
from llmbatch.runs.decisions import Decision, DecisionLog, text_digest
log, who = DecisionLog(Path(sys.argv[1])), sys.argv[2]
for n in range(40):
    key = text_digest(f"{who}{n}")
    log.append(lambda: [Decision(key, key, n, n, "x", who, "2026-11-25T12:00:00Z")])
"""
    path = tmp_path / "decisions.jsonl"
    writers = [subprocess.Popen([sys.executable, "-c", script, path, reviewer]) for reviewer in ("ana", "ben", "cem")]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    log = DecisionLog(path)
    assert path.read_bytes().count(b"\n") == 120
    assert all(log.latest(text_digest(f"{reviewer}{n}")) for reviewer in ("ana", "ben", "cem") for n in range(40))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["x", "y", None]), st.booleans()), max_size=20))
def test_every_reader_gets_the_same_result(steps: list[tuple[int, str | None, bool]]) -> None:
    import tempfile  # noqa: PLC0415 - hypothesis shares fixtures between examples

    with tempfile.TemporaryDirectory() as folder:
        logs = [DecisionLog(Path(folder, "decisions.jsonl")) for _ in range(2)]
        expected: dict[str, str | None] = {}
        for row, category, second in steps:
            digest = text_digest(str(row))
            line = Decision(digest, digest, row, row, category, "ana", "2026-11-25T12:00:00Z")
            logs[second].append(lambda line=line: [line])  # type: ignore[misc]
            expected[digest] = category
        for log in (*logs, DecisionLog(Path(folder, "decisions.jsonl"))):
            log.refresh()
            found = {key: log.latest(key) for key in expected}
            assert {key: line and line.category for key, line in found.items()} == expected
            assert len(log) == sum(category is not None for category in expected.values())
            log.close()
