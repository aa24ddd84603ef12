"""`make bench`: measure, print, and write benchmarks/RESULTS.md."""

import argparse
import os
import platform
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.ledger import ledger_section
from benchmarks.memory import memory_section
from benchmarks.pacing import awkward_table, pacing_table
from benchmarks.processes import static_endpoint
from benchmarks.reading import reading_section
from benchmarks.resume import resume_section
from benchmarks.speed import speed_section
from benchmarks.start_up import start_up_section

if TYPE_CHECKING:
    from collections.abc import Callable

RESULTS = Path(__file__).with_name("RESULTS.md")


def main() -> None:
    """Measure what the options ask for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--rows", type=int, default=10_000, help="rows of the speed comparison")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", default="10000,100000,1000000", help="rows of the memory table")
    parser.add_argument("--finished", type=int, default=1_000_000, help="finished rows of the run that is resumed")
    parser.add_argument("--read", type=int, default=300_000, help="rows of the files that are read in each format")
    parser.add_argument("--peers", help="interpreter that has litellm, instructor and bespokelabs-curator as well")
    parser.add_argument("--only", action="append", help="measure this section, and leave the others as they stand")
    options = parser.parse_args()
    sizes = tuple(int(size) for size in options.sizes.split(","))
    sections = _sections_of(RESULTS.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory(prefix="llmbatch-bench-") as name, static_endpoint() as endpoint:
        folder = Path(name)
        measurements: dict[str, Callable[[], str]] = {
            "Speed": lambda: speed_section(folder, endpoint.url, options.rows, options.rounds, options.peers),
            "Start-up": lambda: start_up_section(max(options.rounds, 5)),
            "Ledger": lambda: ledger_section(folder),
            "Pacing": lambda: "\n".join([*pacing_table(folder), "", *awkward_table(folder)]),
            "Resuming": lambda: resume_section(folder, options.finished),
            "Reading": lambda: reading_section(folder, options.read, with_large=True),
            "Memory": lambda: memory_section(folder, endpoint.url, sizes),
        }
        for title in options.only or measurements:
            sections[title] = measurements[title]()
            print(f"## {title}\n\n{sections[title]}", flush=True)
    page = ["# Benchmarks", "`make bench` makes this page. Endpoint: a static one on loopback, in its own process."]
    shown = [f"## {title}\n\n{sections[title]}" for title in measurements if title in sections]
    RESULTS.write_text("\n\n".join([*page, _machine(), *shown]) + "\n", encoding="utf-8")


def _sections_of(page: str) -> dict[str, str]:
    """What stands on the page, by the heading."""
    _, *sections = page.split("\n## ")
    return {title: text.strip() for title, _, text in (section.partition("\n") for section in sections)}


def _machine() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in ("llmbatch", "openai", "aiohttp", "httpx2", "pydantic"))
    return f"Python {platform.python_version()}, {os.cpu_count()} cores ({platform.machine()}), {packages}."


if __name__ == "__main__":
    main()
