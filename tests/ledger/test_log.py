"""A ledger opens whatever happened to it, and loses no complete line."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmbatch.core.errors import StorageFailed, UsageError
from llmbatch.core.ledger_line import FAILED, LedgerLine, RowError
from llmbatch.runs.ledger.log import Ledger
from llmbatch.runs.ledger.recover import Salvaged, read_lines, salvage_ledger, write_again
from tests.ledgers import complete, lines_of, write_lines
from tests.sealing import rewrite

MakeLine = Callable[..., LedgerLine]


def reopened(path: Path) -> tuple[Ledger, list[LedgerLine], Path | None]:
    lines: list[LedgerLine] = []
    ledger, torn = Ledger.open(path, on_line=lambda _, line: lines.append(line))
    return ledger, lines, torn


def filled(path: Path, make_line: MakeLine, count: int) -> list[LedgerLine]:
    ledger, _, _ = reopened(path)
    lines = [make_line(n) for n in range(count)]
    for line in lines:
        ledger.append(line)
    ledger.close()
    return lines


def test_an_appended_line_is_found_by_its_key(tmp_path: Path, make_line: MakeLine) -> None:
    lines = filled(tmp_path / "ledger.jsonl", make_line, 200)
    ledger, read, torn = reopened(tmp_path / "ledger.jsonl")
    assert torn is None
    assert read == lines
    assert [ledger.latest(line.key) for line in lines] == lines
    assert ledger.latest("0" * 32) is None
    ledger.close()


def test_the_latest_line_of_a_key_counts(tmp_path: Path, make_line: MakeLine) -> None:
    ledger, _, _ = reopened(tmp_path / "ledger.jsonl")
    ledger.append(make_line(1, status=FAILED))
    assert not ledger.is_done(make_line(1).key)
    ledger.append(make_line(1))
    assert ledger.is_done(make_line(1).key)
    ledger.close()


def test_a_long_line_is_read_back_whole(tmp_path: Path, make_line: MakeLine) -> None:
    ledger, _, _ = reopened(tmp_path / "ledger.jsonl")
    line = make_line(1, reasoning="é" * 100_000)
    ledger.append(line)
    assert ledger.latest(line.key) == line
    ledger.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cut=st.integers(0, 2000),
    junk=st.sampled_from([b"", b"\x00" * 512, b"\xff\xfe", b'{"row":', "é".encode()[:1]]),
)
def test_a_ledger_truncated_anywhere_keeps_every_complete_line(
    tmp_path_factory: pytest.TempPathFactory, make_line: MakeLine, cut: int, junk: bytes
) -> None:
    path = tmp_path_factory.mktemp("cut") / "ledger.jsonl"
    lines = filled(path, make_line, 3)
    whole = path.read_bytes()
    cut = min(cut, len(whole))
    path.write_bytes(whole[:cut] + junk)
    ledger, read, torn = reopened(path)
    lacks_newline = len(junk) <= 1 and whole[cut : cut + 1] == b"\n"  # which is added or restored
    kept = whole[: cut + lacks_newline].count(b"\n")
    assert read == lines[:kept]
    assert (torn is None) == (path.stat().st_size == cut + max(len(junk), lacks_newline))
    if torn is not None:
        assert path.read_bytes() + torn.read_bytes() == whole[:cut] + junk
    ledger.append(lines[0])
    ledger.close()
    assert len(reopened(path)[1]) == kept + 1


def test_a_damaged_line_in_the_middle_is_refused_with_its_line_number(tmp_path: Path, make_line: MakeLine) -> None:
    path = tmp_path / "ledger.jsonl"
    filled(path, make_line, 3)
    lines = path.read_bytes().split(b"\n")
    lines[1] = b"garbage"
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(UsageError, match="line 2 is damaged") as caught:
        reopened(path)
    assert f"llmbatch repair {tmp_path}" in (caught.value.hint or "")


def test_salvage_moves_damaged_lines_aside_and_keeps_the_rest(tmp_path: Path, make_line: MakeLine) -> None:
    path = tmp_path / "ledger.jsonl"
    whole = filled(path, make_line, 3)
    lines = path.read_bytes().split(b"\n")
    lines[1] = b"garbage"
    path.write_bytes(b"\n".join(lines))
    assert salvage_ledger(path) == Salvaged(1, tmp_path / "ledger.salvaged-1")
    assert (tmp_path / "ledger.salvaged-1").read_bytes() == b"garbage\n"
    assert reopened(path)[1] == [whole[0], whole[2]]


def test_a_full_disk_is_reported_and_leaves_no_partial_line(tmp_path: Path, make_line: MakeLine) -> None:
    """A file size limit stands in for a full disk: the kernel refuses the write in the same way."""
    script = f"""
import resource, signal, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from pathlib import Path
from llmbatch.core.errors import StorageFailed
from llmbatch.core.ledger_line import LedgerLine
from llmbatch.runs.ledger.log import Ledger
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
ledger, _ = Ledger.open(Path(sys.argv[1]), on_line=lambda *_: None)
line = LedgerLine.from_record(sys.stdin.buffer.read())
ledger.append(line)
resource.setrlimit(resource.RLIMIT_FSIZE, (ledger.size + 100, ledger.size + 100))
try:
    ledger.append(line)
except StorageFailed as error:
    print(error.message)
"""
    path = tmp_path / "ledger.jsonl"
    line = make_line(1)
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], input=line.to_record(), capture_output=True, check=True, timeout=60
    )
    assert b"cannot write" in done.stdout
    assert lines_of(path) == [line]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(junk=st.binary(max_size=300), cut=st.integers(0, 2000))
def test_any_trailing_bytes_are_cut_off_or_refused_and_no_complete_line_is_lost(
    tmp_path_factory: pytest.TempPathFactory, make_line: MakeLine, junk: bytes, cut: int
) -> None:
    path = tmp_path_factory.mktemp("junk") / "ledger.jsonl"
    lines = filled(path, make_line, 3)
    found = path.read_bytes()[:cut] + junk
    path.write_bytes(found)
    whole = path.read_bytes()[:cut].count(b"\n")
    try:
        _, read, torn = reopened(path)
    except UsageError:
        assert b"\n" in junk, "only what looks like a line can be a damaged one"
        return
    assert read[:whole] == lines[:whole]
    kept = path.read_bytes() + (torn.read_bytes() if torn else b"")
    assert kept in (found, found + b"\n", found[:-1] + b"\n"), "a line that lacks only its newline is complete"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["ok", "review", FAILED]), st.booleans())))
def test_it_behaves_like_a_dict_of_the_latest_lines_however_often_it_is_opened(
    tmp_path_factory: pytest.TempPathFactory, make_line: MakeLine, steps: list[tuple[int, str, bool]]
) -> None:
    path = tmp_path_factory.mktemp("model") / "ledger.jsonl"
    ledger, _, _ = reopened(path)
    model: dict[str, LedgerLine] = {}
    for row, status, reopens in steps:
        line = make_line(row, status=status, error=RowError("invalid", None, "") if status == FAILED else None)
        ledger.append(line)
        model[line.key] = line
        if reopens:
            ledger.close()
            ledger, _, _ = reopened(path)
        for key in (make_line(n).key for n in range(6)):
            assert ledger.latest(key) == model.get(key)
            assert ledger.is_done(key) == (key in model and model[key].status != FAILED)
    ledger.close()


def test_after_a_failed_sync_nothing_counts_as_synced_again(tmp_path: Path, make_line: MakeLine) -> None:
    ledger, _, _ = reopened(tmp_path / "ledger.jsonl")
    ledger.append(make_line(1))
    ledger.sync()
    ledger.append(make_line(2))
    kept = os.dup(ledger._fd)
    reading, writing = os.pipe()
    os.dup2(writing, ledger._fd)  # the kernel refuses to sync a pipe
    with pytest.raises(StorageFailed, match="1 finished row may not be on the disk"):
        ledger.sync()
    os.dup2(kept, ledger._fd)
    with pytest.raises(StorageFailed, match="cannot sync"):
        ledger.sync()
    ledger.append(make_line(3))
    ledger.close()
    assert ledger.trouble is not None
    assert len(reopened(tmp_path / "ledger.jsonl")[1]) == 3, "answers in flight are still written down"
    for fd in (kept, reading, writing):
        os.close(fd)


def test_the_lines_of_a_session_are_rewritten_unchanged(tmp_path: Path, make_line: MakeLine) -> None:
    path = tmp_path / "ledger.jsonl"
    filled(path, make_line, 200)
    before = path.read_bytes()
    for offset in (0, 777, len(before), len(before) + 10):
        write_again(path, offset)
        assert path.read_bytes() == before
    write_again(tmp_path / "none.jsonl", 0)


def test_a_label_that_is_not_in_the_task_is_not_a_result(tmp_path: Path, make_line: MakeLine) -> None:
    path = tmp_path / "ledger.jsonl"
    filled(path, make_line, 2)
    for labels, done in (({"a"}, True), ({"b"}, False)):
        ledger, _ = Ledger.open(path, on_line=lambda *_: None, labels=labels)
        assert ledger.is_done(make_line(0).key) is done
        assert (ledger.latest(make_line(0).key) is not None) is done
        ledger.close()


def test_no_flipped_bit_changes_a_line_unnoticed(tmp_path: Path, make_line: MakeLine) -> None:
    path = tmp_path / "ledger.jsonl"
    lines = filled(path, make_line, 3)
    whole = path.read_bytes()
    for place in range(len(whole) - 1):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
        with pytest.raises(UsageError, match=r"ledger\.jsonl: line \d is damaged"):
            list(read_lines(path))
    path.write_bytes(whole[:-1] + b"x")
    assert [line for _, line in read_lines(path)] == lines, "a damaged last newline is repaired"
    assert reopened(path)[1:] == (lines, None)
    assert path.read_bytes() == whole


def test_lines_of_an_earlier_version_are_accepted_only_at_the_start_of_the_file(
    tmp_path: Path, make_line: MakeLine
) -> None:
    path = tmp_path / "ledger.jsonl"
    old, new = (unsealed(make_line(n)) for n in (0, 1)), make_line(2)
    path.write_bytes(b"".join(old) + complete(new))
    assert [line.row for _, line in read_lines(path)] == [0, 1, 2]
    path.write_bytes(complete(new) + unsealed(make_line(0)))
    with pytest.raises(UsageError, match=r"line 2 is damaged \(it has no checksum"):
        list(read_lines(path))


@pytest.mark.parametrize("field", ["cost_usd", "input_tokens", "attempts", "latency_s"])
def test_a_negative_number_is_refused(tmp_path: Path, make_line: MakeLine, field: str) -> None:
    path = tmp_path / "ledger.jsonl"
    write_lines(path, [make_line(0, **{field: -1})])
    with pytest.raises(UsageError, match=f"line 1 is damaged .*{field}"):
        list(read_lines(path))


def test_a_newer_format_is_refused_and_left_unchanged(tmp_path: Path, make_line: MakeLine) -> None:
    path = tmp_path / "ledger.jsonl"
    filled(path, make_line, 2)
    rewrite(path, lambda line: line | {"format": 4, "new": True})
    before = path.read_bytes()
    for work in (reopened, salvage_ledger):
        with pytest.raises(UsageError, match="line 1: its format 4 is from a newer llmbatch"):
            work(path)
    assert path.read_bytes() == before


def unsealed(line: LedgerLine) -> bytes:
    fields = {"confidence_from": "reported", "flags": [], **json.loads(line.to_record())}
    return json.dumps({name: fields[name] for name in fields if name not in ("format", "crc32")}).encode() + b"\n"
