"""How long the program takes before it has anything to do."""

import sys
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.processes import measured

_SAMPLE = Path(__file__).parents[1] / "sample_data" / "docs.jsonl"
_LLMBATCH = [sys.executable, "-m", "llmbatch"]


def start_up_section(rounds: int) -> str:
    """`--help`, and a run of the sample documents against the offline endpoint, which starts as well."""
    helped = [measured([*_LLMBATCH, "--help"]) for _ in range(rounds)]
    ran = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="llmbatch-bench-") as out:
            ran.append(measured([*_LLMBATCH, "classify", str(_SAMPLE), "--offline", "--quiet", "--out", f"{out}/run"]))
    lines = ["| command | seconds | CPU seconds |", "| --- | --- | --- |"]
    for name, costs in {"`llmbatch --help`": helped, "60 documents, `--offline`": ran}.items():
        lines.append(f"| {name} | {median(c.wall_s for c in costs):.2f} | {median(c.cpu_s for c in costs):.2f} |")
    return "\n".join([*lines, "", f"Medians of {rounds} rounds."])
