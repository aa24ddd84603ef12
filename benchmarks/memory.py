"""Peak memory by number of rows: it must not grow with them, but for the index of what is done."""

import shutil
from pathlib import Path

from benchmarks.inputs import written_rows
from benchmarks.processes import classify, measured


def memory_section(folder: Path, url: str, sizes: tuple[int, ...]) -> str:
    """A table: a first run of each size, and the same command again."""
    lines = ["| rows | first run | rows/s | run again (all done) | seconds |", "| --- | --- | --- | --- | --- |"]
    for size in sizes:
        path, out = written_rows(folder, size), folder / f"memory-{size}"
        first, again = measured(classify(path, url, out)), measured(classify(path, url, out))
        shutil.rmtree(out)
        speed = f"{size / first.wall_s:,.0f}"
        lines.append(f"| {size:,} | {first.peak_mb:.0f} MB | {speed} | {again.peak_mb:.0f} MB | {again.wall_s:.1f} |")
    return "\n".join(lines)
