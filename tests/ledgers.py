"""What stands in a ledger, each line with all that it shares with others; and ledgers to begin with."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from llmbatch.core.checksum import seal
from llmbatch.core.ledger_line import LedgerLine
from llmbatch.runs.ledger.recover import read_lines


def lines_of(path: Path) -> list[LedgerLine]:
    """The lines of a ledger; none where it is not there."""
    return [line for _, line in read_lines(path)]


def ledger_rows(path: Path) -> list[dict[str, Any]]:
    """The same as objects of JSON: what is absent or has its default value is left out."""
    return [json.loads(line.to_record()) for line in lines_of(path)]


def complete(line: LedgerLine) -> bytes:
    """A sealed line that says all by itself."""
    return seal(line.to_record())


def write_lines(path: Path, lines: Iterable[LedgerLine]) -> None:
    """Make a ledger of such lines."""
    path.write_bytes(b"".join(map(complete, lines)))
