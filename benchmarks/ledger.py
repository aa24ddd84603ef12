"""How long the lines of a ledger are, and what it takes to write and to read one."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.economy import DATA, TASK
from benchmarks.processes import measured
from llmbatch.runs.ledger.lines import LineWriter
from llmbatch.runs.ledger.recover import read_lines

_TIMES = 5


def ledger_section(folder: Path) -> str:
    """A table: the ledger of AG News, labelled by the offline endpoint."""
    out = folder / "ledger-run"
    options = ["--prompt", TASK, "--text-field", "title,description", "--offline", "--out", str(out), "--quiet"]
    measured([sys.executable, "-m", "llmbatch", "classify", str(DATA), *options])
    path = out / "ledger.jsonl"
    lines = [line for _, line in read_lines(path)]
    whole = sum(len(line.to_record()) for line in lines)
    read_s = min(_took_s(lambda: [*read_lines(path)]) for _ in range(_TIMES))
    write_s = min(_took_s(lambda: [*map(LineWriter().encode, lines)]) for _ in range(_TIMES))
    rows, size = len(lines), path.stat().st_size
    to_write, to_read = (f"{took_s / rows * 1e6:.1f} µs" for took_s in (write_s, read_s))
    return "\n".join(
        [
            "| rows | bytes a row | complete lines would take | to write one | to read one |",
            "| --- | --- | --- | --- | --- |",
            f"| {rows:,} | {size / rows:.0f} | {whole / rows:.0f} | {to_write} | {to_read} |",
            "",
            f"The test split of AG News; the least CPU time of {_TIMES} rounds, checksums included.",
        ]
    )


def _took_s(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began
