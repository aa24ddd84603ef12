"""`make bench`: measure, print, and write benchmarks/RESULTS.md."""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median

import orjson

RESULTS = Path(__file__).with_name("RESULTS.md")
CONCURRENCY = 64
TEXT = "The nightly backup of server {n} stopped with an I/O error; the log shows a full disk and a failed retry."


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process took, by the operating system's own account."""

    wall_s: float
    cpu_s: float
    peak_mb: float


@contextmanager
def static_endpoint() -> Iterator[str]:
    """The static endpoint in a process of its own; yields its base URL."""
    command = [sys.executable, "-m", "benchmarks.static_endpoint", "technical"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


def measured(command: list[str]) -> Cost:
    """Run a command to its end and account for it."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} left with {process.returncode}:\n{errors}")
    return Cost(time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def written_rows(folder: Path, count: int) -> Path:
    """An input of that many rows, each with a text of its own."""
    path = folder / f"rows-{count}.jsonl"
    with path.open("wb") as file:
        for n in range(count):
            file.write(orjson.dumps({"id": n, "text": TEXT.format(n=n)}) + b"\n")
    return path


def classify(path: Path, url: str, out: Path) -> list[str]:
    """The command line of the whole program."""
    options = ["--base-url", url, "--concurrency", str(CONCURRENCY), "--out", str(out), "--quiet"]
    return [sys.executable, "-m", "llmbatch", "classify", str(path), *options]


def baseline(name: str, url: str, path: Path) -> list[str]:
    """The command line of a baseline."""
    return [sys.executable, "-m", "benchmarks.baselines", name, url, str(path), str(CONCURRENCY)]


def speed_table(folder: Path, url: str, rows: int, rounds: int) -> list[str]:
    """The whole program and the baselines in turn, medians over the rounds."""
    path = written_rows(folder, rows)
    empty = written_rows(folder, 0)
    programs: dict[str, list[Cost]] = {"llmbatch, whole program": [], "plain SDK loop (httpx)": [], "bare aiohttp": []}
    for number in range(rounds):
        baselines = [
            [sys.executable, "-m", "benchmarks.baselines", name, url, str(path), str(CONCURRENCY)]
            for name in ("sdk", "aiohttp")
        ]
        commands = [classify(path, url, folder / f"speed-{number}"), *baselines]
        for costs, command in zip(programs.values(), commands, strict=True):
            costs.append(measured(command))
    start = measured(classify(empty, url, folder / "empty"))
    lines = ["| program | rows/s | CPU per row | peak memory |", "| --- | --- | --- | --- |"]
    for name, costs in programs.items():
        speed, cpu = rows / median(c.wall_s for c in costs), median(c.cpu_s for c in costs) / rows
        peak = median(c.peak_mb for c in costs)
        lines.append(f"| {name} | {speed:,.0f} | {cpu * 1e6:,.0f} µs | {peak:.0f} MB |")
    walls = {name: median(c.wall_s for c in costs) for name, costs in programs.items()}
    ratio = walls["plain SDK loop (httpx)"] / walls["llmbatch, whole program"]
    return [
        *lines,
        "",
        f"{rows:,} rows, {CONCURRENCY} at once, medians of {rounds} rounds, start-up ({start.wall_s:.1f} s) included.",
        f"llmbatch is {ratio:.2f} times as fast as the plain SDK loop.",
    ]


def memory_table(folder: Path, url: str, sizes: tuple[int, ...]) -> list[str]:
    """Peak memory by number of rows, for a first run and for the same command again."""
    lines = ["| rows | first run | rows/s | run again (all done) | seconds |", "| --- | --- | --- | --- | --- |"]
    for size in sizes:
        path, out = written_rows(folder, size), folder / f"memory-{size}"
        first, again = measured(classify(path, url, out)), measured(classify(path, url, out))
        speed = f"{size / first.wall_s:,.0f}"
        lines.append(f"| {size:,} | {first.peak_mb:.0f} MB | {speed} | {again.peak_mb:.0f} MB | {again.wall_s:.1f} |")
    return lines


def start_up_line(rounds: int) -> str:
    """How long `llmbatch --help` takes."""
    costs = [measured([sys.executable, "-m", "llmbatch", "--help"]) for _ in range(rounds)]
    return f"`llmbatch --help`: {median(c.wall_s for c in costs):.2f} s (median of {rounds})."


def main() -> None:
    """Measure what the options ask for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--rows", type=int, default=10_000, help="rows of the speed comparison")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", default="1000,200000", help="rows of the memory table")
    options = parser.parse_args()
    sizes = tuple(int(size) for size in options.sizes.split(","))
    with tempfile.TemporaryDirectory(prefix="llmbatch-bench-") as name, static_endpoint() as url:
        folder = Path(name)
        sections = [
            "# Benchmarks",
            "`make bench` makes this page. Endpoint: a static one on loopback, in its own process.",
            _machine(),
            "## Speed",
            "\n".join(speed_table(folder, url, options.rows, options.rounds)),
            "## Memory, and resuming",
            "\n".join(memory_table(folder, url, sizes)),
            "## Start-up",
            start_up_line(max(options.rounds, 5)),
        ]
    RESULTS.write_text("\n\n".join(sections) + "\n", encoding="utf-8")
    print(RESULTS.read_text(encoding="utf-8"))


def _machine() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in ("llmbatch", "openai", "aiohttp", "httpx2", "pydantic"))
    return f"Python {platform.python_version()}, {os.cpu_count()} cores ({platform.machine()}), {packages}."


if __name__ == "__main__":
    main()
