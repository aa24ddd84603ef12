"""Running programs and accounting for them, by the operating system's own figures."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CONCURRENCY = 64


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process took, those that it waited for included; its memory is the largest one's."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    output: str = ""


@dataclass(frozen=True, slots=True)
class StaticEndpoint:
    """A running static endpoint."""

    url: str
    process: "subprocess.Popen[str]"

    def first_request_at(self) -> float:
        """When its first request came, by `time.monotonic`, which all processes of a machine share. Waits for it."""
        assert self.process.stdout is not None
        return float(self.process.stdout.readline())


@contextmanager
def static_endpoint() -> Iterator[StaticEndpoint]:
    """The static endpoint in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.static_endpoint", "technical"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield StaticEndpoint(process.stdout.readline().strip(), process)
        process.stdin.close()


def measured(command: list[str]) -> Cost:
    """Run a command to its end and account for it; ends the benchmark where it fails."""
    started = time.perf_counter()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        errors = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        took = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"{' '.join(command)} left with {process.returncode}:\n{errors}")
        output.seek(0)
        return Cost(took, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, output.read())


def classify(path: Path, url: str, out: Path) -> list[str]:
    """The command line of the whole program."""
    options = ["--base-url", url, "--concurrency", str(CONCURRENCY), "--out", str(out), "--quiet"]
    return [sys.executable, "-m", "llmbatch", "classify", str(path), *options]


def baseline(name: str, url: str, path: Path) -> list[str]:
    """The command line of a baseline."""
    return [sys.executable, "-m", "benchmarks.baselines", name, url, str(path), str(CONCURRENCY)]
