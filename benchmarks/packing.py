"""`make economy`: what AG News and Banking77 cost with several rows in a request, also where packs are split.

Every run is a real one, to the offline endpoint; with faults, every tenth answer is spoilt. Labels are compared with
those of rows that went alone. Prints a table in Markdown.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.economy import DATA
from benchmarks.ways import offline_endpoint, run
from llmbatch.runs.ledger.recover import read_lines

MODEL = "gpt-6-luna"
SETS = {
    "AG News": (DATA, ("--task", "ag_news", "--text-field", "title,description")),
    "Banking77": (DATA.parents[1] / "banking77" / "test.jsonl", ("--task", "banking77")),
}
"""Files, and how they are read."""
CELLS = ((1, False), (10, False), (10, True), (20, False))
"""Rows in a request, and whether answers are spoilt."""
FAULTS = ("pack_missing=2%", "pack_doubled=2%", "pack_renumbered=2%", "truncated=2%", "invented=2%")


def packed(path: Path, reading: tuple[str, ...], rows: int, out: Path, faults: tuple[str, ...]) -> dict[str, Any]:
    """The summary of a run, with so many rows in a request."""
    with offline_endpoint(*(part for fault in faults for part in ("--fault", fault))) as url:
        where = ("--base-url", url, "--out", str(out), "--spend-store", "off", "--quiet")
        return run("classify", path, MODEL, *reading, *where, "--rows-per-request", str(rows))


def estimated(path: Path, reading: tuple[str, ...], rows: int, out: Path) -> float:
    """What an estimate of the run says, US dollars."""
    options = ("--out", str(out), "--exact", "--rows-per-request", str(rows))
    cost: float = run("estimate", path, MODEL, *reading, *options)["models"][0]["cost_usd"]["expected"]
    return cost


def labels(folder: Path) -> dict[str, str | None]:
    """Each key's label."""
    return {line.key: line.category for _, line in read_lines(folder / "ledger.jsonl")}


def main() -> None:
    """Measure and print."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    print(
        "| documents | rows in a request | faults | requests | cached | estimate | bill | of single rows | "
        "other labels |"
    )
    print("| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name, (path, reading) in SETS.items():
        with tempfile.TemporaryDirectory() as folder:
            alone, single_usd = dict[str, str | None](), 0.0
            for rows, is_spoilt in CELLS:
                faults = FAULTS if is_spoilt else ()
                out = Path(folder) / f"{rows}-{len(faults)}"
                estimate = estimated(path, reading, rows, out)
                usage = packed(path, reading, rows, out, faults)["usage"]
                found, bill = labels(out), usage["cost_usd"]
                alone, single_usd = alone or found, single_usd or bill
                others = sum(label != alone[key] for key, label in found.items())
                spoilt = "10% of the answers" if faults else "-"
                requests, cached = f"{usage['requests']:,}", f"{usage['cached_share']:.0%}"
                figures = f"{requests} | {cached} | ${estimate:.4f} | ${bill:.4f} | {bill / single_usd:.0%}"
                print(f"| {name} | {rows} | {spoilt} | {figures} | {others:,} of {len(found):,} |", flush=True)


if __name__ == "__main__":
    main()
