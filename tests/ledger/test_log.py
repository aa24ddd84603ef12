"""A ledger opens after whatever happened to it, and loses no whole line."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmbatch.errors import UsageError
from llmbatch.ledger.line import FAILED, LedgerLine
from llmbatch.ledger.log import Ledger
from llmbatch.ledger.recover import salvage

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


def test_what_was_appended_is_found_by_its_key(tmp_path: Path, make_line: MakeLine) -> None:
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


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(
    cut=st.integers(0, 2000),
    junk=st.sampled_from([b"", b"\x00" * 512, b"\xff\xfe", b'{"row":', "é".encode()[:1]]),
)
def test_a_ledger_cut_anywhere_keeps_every_whole_line(
    tmp_path_factory: pytest.TempPathFactory, make_line: MakeLine, cut: int, junk: bytes
) -> None:
    path = tmp_path_factory.mktemp("cut") / "ledger.jsonl"
    lines = filled(path, make_line, 3)
    whole = path.read_bytes()
    cut = min(cut, len(whole))
    path.write_bytes(whole[:cut] + junk)
    ledger, read, torn = reopened(path)
    kept = whole[:cut].count(b"\n")
    assert read == lines[:kept]
    assert (torn is None) == (path.stat().st_size == cut + len(junk))
    if torn is not None:
        assert path.read_bytes() + torn.read_bytes() == whole[:cut] + junk
    ledger.append(lines[0])
    ledger.close()
    assert len(reopened(path)[1]) == kept + 1


def test_a_damaged_line_in_the_middle_is_refused_with_its_place(tmp_path: Path, make_line: MakeLine) -> None:
    path = tmp_path / "ledger.jsonl"
    filled(path, make_line, 3)
    lines = path.read_bytes().split(b"\n")
    lines[1] = b"garbage"
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(UsageError, match="line 2 is damaged") as caught:
        reopened(path)
    assert "--salvage" in (caught.value.hint or "")


def test_salvage_moves_damaged_lines_aside_and_keeps_the_rest(tmp_path: Path, make_line: MakeLine) -> None:
    path = tmp_path / "ledger.jsonl"
    whole = filled(path, make_line, 3)
    lines = path.read_bytes().split(b"\n")
    lines[1] = b"garbage"
    path.write_bytes(b"\n".join(lines))
    assert salvage(path) == 1
    assert (tmp_path / "ledger.salvaged-1").read_bytes() == b"garbage\n"
    assert reopened(path)[1] == [whole[0], whole[2]]


def test_a_full_disk_is_told_and_leaves_no_half_line(tmp_path: Path, make_line: MakeLine) -> None:
    """A file size limit stands in for a full disk: the kernel refuses the write in the same way."""
    script = f"""
import resource, signal, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from pathlib import Path
from llmbatch.errors import StorageFailed
from llmbatch.ledger.line import LedgerLine
from llmbatch.ledger.log import Ledger
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
ledger, _ = Ledger.open(Path(sys.argv[1]), on_line=lambda *_: None)
line = LedgerLine.from_bytes(sys.stdin.buffer.read())
ledger.append(line)
resource.setrlimit(resource.RLIMIT_FSIZE, (ledger.size + 100, ledger.size + 100))
try:
    ledger.append(line)
except StorageFailed as error:
    print(error.message)
"""
    path = tmp_path / "ledger.jsonl"
    raw = make_line(1).to_bytes()
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], input=raw, capture_output=True, check=True, timeout=60
    )
    assert b"cannot write" in done.stdout
    assert path.read_bytes() == raw
