"""Lines are taken over from another ledger as its processes left it."""

from pathlib import Path

import pytest

from llmbatch.runs.ledger.gather import gather_lines
from tests.ledger.conftest import MakeLine
from tests.ledgers import complete, lines_of


def gathered(folder: Path) -> list[bytes]:
    gather_lines(folder / "ledger.jsonl", folder / "sent.log", {"other": folder / "other.jsonl"}, lambda _: True)
    return [complete(line) for line in lines_of(folder / "ledger.jsonl")]


@pytest.mark.parametrize("lost", [1, 20])
def test_a_truncated_line_is_taken_over_once_it_is_complete(tmp_path: Path, make_line: MakeLine, lost: int) -> None:
    lines = [complete(make_line(row)) for row in range(3)]
    other = tmp_path / "other.jsonl"
    other.write_bytes(b"".join(lines[:2])[:-lost])
    assert gathered(tmp_path) == lines[: 2 if lost == 1 else 1], "only a newline is missing, or more"
    assert gathered(tmp_path) == lines[: 2 if lost == 1 else 1]
    other.write_bytes(b"".join(lines))
    assert gathered(tmp_path) == lines
