"""Rows a second: the whole program, a plain SDK loop, and a bare HTTP client in turn."""

from pathlib import Path
from statistics import median

from benchmarks.inputs import written_rows
from benchmarks.processes import CONCURRENCY, Cost, baseline, classify, measured

_LLMBATCH, _SDK, _BARE = "llmbatch, whole program", "plain SDK loop (httpx)", "bare aiohttp"


def speed_section(folder: Path, url: str, rows: int, rounds: int) -> str:
    """A table of medians over the rounds, and how they compare."""
    path = written_rows(folder, rows)
    costs: dict[str, list[Cost]] = {_LLMBATCH: [], _SDK: [], _BARE: []}
    for number in range(rounds):
        costs[_LLMBATCH].append(measured(classify(path, url, folder / f"speed-{number}")))
        costs[_SDK].append(measured(baseline("sdk", url, path)))
        costs[_BARE].append(measured(baseline("aiohttp", url, path)))
    start = measured(classify(written_rows(folder, 0), url, folder / "empty"))
    lines = ["| program | rows/s | rows/s per core | CPU per row | peak memory |", "| --- | --- | --- | --- | --- |"]
    for name, taken in costs.items():
        cpu_s = median(cost.cpu_s for cost in taken) / rows
        peak_mb = median(cost.peak_mb for cost in taken)
        lines.append(
            f"| {name} | {rows / _wall_s(taken):,.0f} | {1 / cpu_s:,.0f} | {cpu_s * 1e6:,.0f} µs | {peak_mb:.0f} MB |"
        )
    ratio = _wall_s(costs[_SDK]) / _wall_s(costs[_LLMBATCH])
    lines += [
        "",
        f"{rows:,} rows, {CONCURRENCY} at once, medians of {rounds} rounds. Start-up ({start.wall_s:.1f} s) and the",
        "writing of the views are in llmbatch's figures.",
        f"llmbatch is {ratio:.2f} times as fast as the plain SDK loop.",
    ]
    return "\n".join(lines)


def _wall_s(costs: list[Cost]) -> float:
    return median(cost.wall_s for cost in costs)
