"""Rows a second: the whole program, a plain SDK loop, and a bare HTTP client in turn."""

import os
import shutil
import subprocess
from pathlib import Path
from statistics import median

from benchmarks.inputs import written_rows
from benchmarks.processes import CONCURRENCY, Cost, baseline, classify, measured

_LLMBATCH, _SDK, _BARE = "llmbatch, whole program", "plain SDK loop (httpx)", "bare aiohttp"
_PEERS = ("instructor", "litellm", "curator")


def speed_section(folder: Path, url: str, rows: int, rounds: int, peers: str | None = None) -> str:
    """A table of medians over the rounds, and how they compare.

    Args:
        folder: for inputs and what is written.
        url: the endpoint's.
        rows: how many each program asks about.
        rounds: in which all take their turns.
        peers: an interpreter that has the other packages; None leaves them out.
    """
    path = written_rows(folder, rows)
    commands = {
        _LLMBATCH: classify(path, url, folder / "speed"),
        _BARE: baseline("aiohttp", url, path),
        _SDK: baseline("sdk", url, path),
    }
    if peers is not None:
        asked = (url, str(path), str(CONCURRENCY))
        commands |= {name: [peers, "-m", "benchmarks.peers", name, *asked] for name in _PEERS}
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for number in range(rounds):
        for name, command in commands.items():
            if name in _PEERS and number > 0:
                continue  # they take minutes
            costs[name].append(measured(command))
            for kept in (folder / "speed", path.with_suffix(".cache")):  # curator's cache is its ledger
                shutil.rmtree(kept, ignore_errors=True)
    start = measured(classify(written_rows(folder, 0), url, folder / "empty"))
    lines = ["| program | rows/s | rows/s per core | CPU per row | peak memory |", "| --- | --- | --- | --- | --- |"]
    for name, taken in costs.items():
        cpu_s = _cpu_s(taken) / rows
        peak_mb = median(cost.peak_mb for cost in taken)
        lines.append(
            f"| {name} | {rows / _wall_s(taken):,.0f} | {1 / cpu_s:,.0f} | {cpu_s * 1e6:,.0f} µs | {peak_mb:.0f} MB |"
        )
    ours, sdk, bare = costs[_LLMBATCH], costs[_SDK], costs[_BARE]
    faster, share = _wall_s(sdk) / _wall_s(ours), _wall_s(bare) / _wall_s(ours)
    cheaper, of_bare = _cpu_s(sdk) / _cpu_s(ours), _cpu_s(bare) / _cpu_s(ours)
    lines += [
        "",
        f"{rows:,} rows, {CONCURRENCY} at once, medians of {rounds} rounds (other packages: 1) in turns; the load",
        f"was {os.getloadavg()[2]:.0f}. llmbatch's figures hold its start-up ({start.cpu_s:.1f} s) and the views.",
        "",
        "| llmbatch against | rows/s | rows per CPU second |",
        "| --- | --- | --- |",
        f"| the plain SDK loop | {faster:.1f} times | {cheaper:.1f} times |",
        f"| bare aiohttp | {share:.0%} | {of_bare:.0%} |",
    ]
    if peers is not None:
        lines += ["", f"The other packages: {_versions(peers)}."]
    return "\n".join(lines)


def _versions(python: str) -> str:
    names = "instructor", "litellm", "bespokelabs-curator", "openai"
    code = f"from importlib.metadata import version\nfor name in {names}: print(name, version(name))"
    printed = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout
    return ", ".join(printed.splitlines())


def _cpu_s(costs: list[Cost]) -> float:
    return median(cost.cpu_s for cost in costs)


def _wall_s(costs: list[Cost]) -> float:
    return median(cost.wall_s for cost in costs)
