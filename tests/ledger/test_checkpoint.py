"""A checkpoint is valid only for the bytes that it was made from."""

from collections.abc import Callable
from pathlib import Path

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.core.ledger_line import LedgerLine
from llmbatch.runs.ledger.checkpoint import load_checkpoint, save_checkpoint
from llmbatch.runs.ledger.log import Ledger

Lines = Callable[..., LedgerLine]


@pytest.fixture
def path(tmp_path: Path, make_line: Lines) -> Path:
    """A ledger of 2,000 rows with its checkpoint."""
    path = tmp_path / "ledger.jsonl"
    ledger, _ = Ledger.open(path, on_line=lambda *_: None)
    for row in range(2_000):
        ledger.append(make_line(row))
    save_checkpoint(path, ledger.checkpoint({"rows": 2_000}))
    ledger.close()
    return path


def opened(path: Path) -> tuple[Ledger, list[int]]:
    """The ledger opened with its checkpoint, and the rows that were decoded."""
    decoded: list[int] = []
    ledger, _ = Ledger.open(path, on_line=lambda _, line: decoded.append(line.row), checkpoint=load_checkpoint(path))
    return ledger, decoded


def test_only_what_follows_the_checkpoint_is_decoded(path: Path, make_line: Lines) -> None:
    ledger, decoded = opened(path)
    ledger.append(make_line(2_000))
    ledger.close()
    again, decoded_then = opened(path)
    assert (decoded, decoded_then) == ([], [2_000])
    assert [again.latest(make_line(row).key) for row in (0, 1_999, 2_000)] == [make_line(n) for n in (0, 1_999, 2_000)]
    assert again.latest(make_line(2_001).key) is None
    again.close()


def test_the_totals_are_restored(path: Path) -> None:
    checkpoint = load_checkpoint(path)
    assert checkpoint is not None
    assert (checkpoint.sums, len(checkpoint.index)) == ({"rows": 2_000}, 2_000)


@pytest.mark.parametrize("place", [0, 1_000, -2])
def test_a_ledger_with_other_bytes_is_decoded_whole(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    assert load_checkpoint(path) is None


def test_a_ledger_that_lost_its_end_is_decoded_whole(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))
    assert load_checkpoint(path) is None
    ledger, decoded = opened(path)
    assert len(decoded) == 1_999
    ledger.close()


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.99999])
def test_a_damaged_or_truncated_checkpoint_is_ignored(path: Path, share: float) -> None:
    file = path.with_suffix(".checkpoint")
    content = bytearray(file.read_bytes())
    place = int(share * len(content))
    file.write_bytes(content[:place])
    assert load_checkpoint(path) is None
    content[place] ^= 1
    file.write_bytes(content)
    assert load_checkpoint(path) is None


def test_a_bad_line_after_a_checkpoint_is_reported_by_its_line_number(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"{}\n")
    with pytest.raises(UsageError, match="line 2001 is damaged"):
        opened(path)
