"""Two days of a crontab line with `classify --batch`: what each command does, and takes of time, memory and disk.

    python -m benchmarks.batch_days --rows 100000 --clock /usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1

Commands run at 22:00 and 06:00, on a clock that jumps there where libfaketime is named. Half of the tokens may be
enqueued at once; the offline endpoint lets one batch expire at half, and answers 2% of the lines with 429. Prints a
table in Markdown.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.inputs import written_rows
from benchmarks.ways import offline_endpoint

BEGIN = datetime(2026, 12, 1, 22, tzinfo=UTC)
HOURS = (0, 8, 24, 32, 48, 56)
"""Of the commands: 22:00 and 06:00, until all is done."""
TOKENS_A_ROW = 1_700
"""About what the default task and a short text come to, frames included: for the limit's sake."""
FAULTS = ("--fault", "batch_expire@2", "--fault", "rate_limit=2%")
_LOOK_EVERY_S = 0.05


@dataclass(frozen=True, slots=True)
class Night:
    """One command."""

    at: datetime
    summary: dict[str, Any]
    wall_s: float
    peak_mb: float
    most_on_disk_mb: float
    """Request and result files, at their largest."""


@contextmanager
def largest(folder: Path) -> Iterator[list[float]]:
    """The largest size of a folder's files while the block runs, MB, as the only item."""
    found, ends = [0.0], threading.Event()

    def look() -> None:
        while not ends.wait(_LOOK_EVERY_S):
            found[0] = max(found[0], _size(folder) / 1e6)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield found
    finally:
        ends.set()
        thread.join()


def _size(folder: Path) -> int:
    """Bytes of a folder's files, while they come and go."""
    size = 0
    with suppress(OSError):
        for entry in os.scandir(folder):
            with suppress(OSError):
                size += entry.stat().st_size
    return size


def pass_hours(url: str) -> None:
    """Let the endpoint work on its batches until nothing is left to do: it does so while it is looked at."""
    done = -1
    while True:
        with urllib.request.urlopen(url.removesuffix("/v1") + "/_stats", timeout=600) as answer:
            lines = json.load(answer)["batch_lines"]
        if lines == done:
            return
        done = lines


def command(path: Path, run: Path, url: str, at: datetime, limits: tuple[str, ...], clock: Path | None) -> Night:
    """One run of the crontab's line."""
    line = [sys.executable, "-m", "llmbatch", "classify", str(path), "--batch", "--yes", "--json", "--quiet"]
    line += ["--base-url", url, "--out", str(run), "--spend-store", str(run.parent / "spend.db")]
    line += [*limits, "--max-cost", "1000", "--daily-budget", "1000"]
    env = dict(os.environ)
    if clock is not None:
        env |= {
            "LD_PRELOAD": str(clock),
            "FAKETIME": f"@{at:%Y-%m-%d %H:%M:%S}",
            "TZ": "UTC",
            "DONT_FAKE_MONOTONIC": "1",
        }
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+") as out, largest(run / "batches") as disk:
        process = subprocess.Popen(line, stdout=out, stderr=subprocess.DEVNULL, env=env, text=True)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        summary = json.load(out)
    return Night(at, summary, time.perf_counter() - began, usage.ru_maxrss / 1024, disk[0])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--size", type=int, default=20_000, help="rows of a part")
    parser.add_argument("--share", type=float, default=0.5, help="of all tokens that may be enqueued at once")
    parser.add_argument("--clock", type=Path, help="libfaketime")
    options = parser.parse_args()
    limit = int(options.rows * TOKENS_A_ROW * options.share)
    print(f"{options.rows:,} rows, {limit:,} enqueued tokens\n")
    print("| at | labelled | at the provider | pending | parts | wall | memory | on the disk | exit code |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    limits = ("--batch-size", str(options.size), "--batch-tokens", str(limit))
    with tempfile.TemporaryDirectory() as name, offline_endpoint("--enqueued-tokens", str(limit), *FAULTS) as url:
        path, run = written_rows(Path(name), options.rows), Path(name) / "run"
        for hours in HOURS:
            night = command(path, run, url, BEGIN + timedelta(hours=hours), limits, options.clock)
            rows, there = night.summary["rows"], night.summary["at_provider"]
            pending = rows["undone"] - there["rows"]
            figures = f"{rows['ok'] + rows['review']:,} | {there['rows']:,} | {pending:,} | {there['parts']}"
            spent = f"{night.wall_s:.0f} s | {night.peak_mb:.0f} MB | {night.most_on_disk_mb:.0f} MB"
            print(f"| {night.at:%a %H:%M} | {figures} | {spent} | {night.summary['exit_code']} |", flush=True)
            if not (rows["undone"] or there["rows"]):
                break
            pass_hours(url)
        sizes = {file.name: file.stat().st_size / 1e6 for file in (run / "ledger.jsonl", run / "batches.jsonl")}
        print("\n" + ", ".join(f"{file} {size:,.1f} MB" for file, size in sizes.items()))
        print(f"${night.summary['usage']['cost_usd']:.2f}, {night.summary['usage']['requests']:,} requests billed")


if __name__ == "__main__":
    main()
