"""How well the pace fits endpoints of which nobody says what they bear: limits, random refusals, slots and a queue.

    python -m benchmarks.pacing

The offline endpoint enforces limits with a burst of one second and answers in 300 ms on average. llmbatch is run as its
users run it, told nothing. Beside it, on the same endpoint: the plain SDK loop with its own default retries, with 64
workers, or with as many as are best there.
"""

import json
import random
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import orjson

Program = Callable[[Path, str], tuple[list[str], Path]]
"""A command line for an input and an endpoint, and the file with a line for each row that is done."""

_LATENCY_S = 0.3
_SETTLED_S, _LAST_S = 3, 2
"""Seconds at a run's start and end that do not show how it goes once under way."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A limit, and an input that takes some twenty seconds under it."""

    name: str
    kind: str
    per_minute: int
    rows: int
    varied: bool = False


_SCENARIOS = (
    Scenario("60 requests a minute", "rpm", 60, 30),
    Scenario("600 requests a minute", "rpm", 600, 200),
    Scenario("6,000 requests a minute", "rpm", 6_000, 2_000),
    Scenario("12,000 requests a minute", "rpm", 12_000, 4_000),
    Scenario("300,000 tokens a minute", "tpm", 300_000, 55, varied=True),
    Scenario("6,000,000 tokens a minute", "tpm", 6_000_000, 1_100, varied=True),
)
_WITH_BASELINE = "6,000 requests a minute"


@dataclass(frozen=True, slots=True)
class Paced:
    """What a program made of a limit."""

    lost: int
    wall_s: float
    ideal_s: float
    share: float
    refused: float

    def cells(self) -> str:
        """As cells of a table."""
        return f"{self.share:.1%} | {self.refused:.2%} | {self.wall_s:.1f} s | {self.ideal_s:.1f} s | {self.lost}"


def pacing_table(folder: Path) -> list[str]:
    """The lines of a table: each limit, by llmbatch, and one of them by the plain SDK loop."""
    lines = [
        "| limit | program | used once under way | refused | took | ideal | rows lost |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for number, scenario in enumerate(_SCENARIOS):
        path = _written(folder / f"paced-{number}.jsonl", scenario.rows, varied=scenario.varied)
        lines.append(f"| {scenario.name} | llmbatch | {_paced(scenario, path, _classify).cells()} |")
        if scenario.name == _WITH_BASELINE:
            lines.append(f"| {scenario.name} | plain SDK loop, 64 workers | {_paced(scenario, path, _sdk).cells()} |")
    return lines


@dataclass(frozen=True, slots=True)
class Awkward:
    """An endpoint of which no limit can be said in advance."""

    name: str
    endpoint: tuple[str, ...]
    rows: int
    pools: tuple[int, ...] = (64,)
    """Workers of the plain loop; the best of them counts."""


_AWKWARD = (
    Awkward("a window of 600 in 10 s", ("window", "600", "10"), 2_000),
    Awkward("a day's bucket of 10,000", ("day", "10000"), 3_000),
    Awkward("4% refused at random", ("refusing", "0.04", "50"), 4_000),
    Awkward("10% refused at random", ("refusing", "0.1", "200"), 3_000),
    Awkward("1 slot and a queue", ("queue", "1", "0.2"), 60, (1, 2)),
    Awkward("4 slots and a queue", ("queue", "4", "0.5"), 120, (4, 8)),
    Awkward("64 slots and a queue", ("queue", "64", "0.3"), 3_000, (64, 96)),
)


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a program made of an endpoint; seconds are from the first request to the last answer."""

    answered: int
    refused: int
    abandoned: int
    seconds: float
    lost: int

    @property
    def rows_per_s(self) -> float:
        """What came back in a second."""
        return self.answered / self.seconds

    def cells(self, best: float) -> str:
        """As cells of a table, beside the best rows a second of the plain loop."""
        requests = self.answered + self.refused
        return (
            f"{self.rows_per_s:,.1f} | {self.rows_per_s / best:.0%} | {self.refused / requests:.2%} | "
            f"{self.abandoned / requests:.2%} | {self.seconds:.1f} s | {self.lost}"
        )


def awkward_table(folder: Path) -> list[str]:
    """The lines of a table: each endpoint, by llmbatch and by the best pool of workers."""
    lines = [
        "| endpoint | program | rows/s | of the best pool's | refused | abandoned | took | rows lost |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for number, awkward in enumerate(_AWKWARD):
        path = _written(folder / f"awkward-{number}.jsonl", awkward.rows)
        pools = {workers: _fitted(awkward, path, partial(_sdk, workers=workers)) for workers in awkward.pools}
        workers = max(pools, key=lambda workers: pools[workers].rows_per_s)
        best = pools[workers].rows_per_s
        lines.append(f"| {awkward.name} | llmbatch | {_fitted(awkward, path, _classify).cells(best)} |")
        lines.append(f"| {awkward.name} | plain SDK loop, {workers} workers | {pools[workers].cells(best)} |")
    return lines


def _fitted(awkward: Awkward, path: Path, program: Program) -> Fitted:
    endpoint = [sys.executable, "-m", "benchmarks.awkward_endpoint", *awkward.endpoint]
    with subprocess.Popen(endpoint, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        command, written = program(path, process.stdout.readline().strip())
        subprocess.run(command, check=False, stderr=subprocess.DEVNULL)
        met = json.loads(process.communicate()[0])
    return Fitted(**met, lost=awkward.rows - written.read_bytes().count(b"\n"))


def _classify(path: Path, url: str) -> tuple[list[str], Path]:
    out = path.with_suffix(".llmbatch")
    command = [sys.executable, "-m", "llmbatch", "classify", str(path), "--base-url", url, "--out", str(out), "--quiet"]
    return command, out / "ledger.jsonl"


def _sdk(path: Path, url: str, *, workers: int = 64) -> tuple[list[str], Path]:
    command = [sys.executable, "-m", "benchmarks.baselines", "sdk-retries", url, str(path), str(workers)]
    return command, path.with_suffix(".sdk-retries")


def _paced(scenario: Scenario, path: Path, program: Program) -> Paced:
    with _endpoint(scenario) as url:
        command, written = program(path, url)
        began = time.perf_counter()
        subprocess.run(command, check=False, stderr=subprocess.DEVNULL)
        wall_s = time.perf_counter() - began
        timeline = _asked(f"{url.removesuffix('/v1')}/_stats/timeline")
    unit = "tokens" if scenario.kind == "tpm" else "passed"
    seconds = [{**second, "passed": second["requests"] - second["refused"]} for second in timeline]
    per_second = scenario.per_minute / 60
    under_way = seconds[_SETTLED_S:-_LAST_S]
    span_s = under_way[-1]["second"] - under_way[0]["second"] + 1
    requests, refused = sum(s["requests"] for s in seconds), sum(s["refused"] for s in seconds)
    return Paced(
        lost=scenario.rows - written.read_bytes().count(b"\n"),
        wall_s=wall_s,
        ideal_s=sum(s[unit] for s in seconds) / per_second,
        share=sum(s[unit] for s in under_way) / span_s / per_second,
        refused=refused / requests,
    )


def _written(path: Path, rows: int, *, varied: bool = False) -> Path:
    draw = random.Random(0)
    with path.open("wb") as file:
        for n in range(rows):
            times = int(draw.lognormvariate(1.0, 1.0)) + 1 if varied else 1
            text = f"Case {n}: " + "The nightly backup stopped with an I/O error and a failed retry. " * times
            file.write(orjson.dumps({"id": n, "text": text}) + b"\n")
    return path


@contextmanager
def _endpoint(scenario: Scenario) -> Iterator[str]:
    command = [sys.executable, "-m", "llmbatch", "simulate", "--port", "0", "--until-stdin-closes"]
    limits = [f"--{scenario.kind}", str(scenario.per_minute), "--latency", str(_LATENCY_S)]
    with subprocess.Popen([*command, *limits], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


def _asked(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="llmbatch-bench-") as name:
        print("\n".join([*pacing_table(Path(name)), "", *awkward_table(Path(name))]))
