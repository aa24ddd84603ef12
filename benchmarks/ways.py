"""`make economy`: what AG News costs by single requests, at the flex tier and in batches, estimated and billed.

Every run is a real one, to the offline endpoint; batches meet its prompt cache or not. Prints a table in Markdown.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.economy import DATA, TASK

MODELS = ("gpt-6-luna", "gpt-5-mini", "gpt-4o-mini")
WAYS = {
    "sync": ((), ()),
    "flex": ((), ("--service-tier", "flex")),
    "batch, no cache hits": ((), ("--batch", "--batch-wait", "2h", "--yes")),
    "batch, cached": (("--batch-cache",), ("--batch", "--batch-wait", "2h")),
}
"""By its name, the options of the endpoint and of the run."""


@contextmanager
def offline_endpoint(*options: str) -> Iterator[str]:
    """The offline endpoint in a process of its own; yields its base URL."""
    command = [sys.executable, "-m", "llmbatch", "simulate", "--port", "0", "--until-stdin-closes", *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


READING = ("--task", TASK, "--text-field", "title,description")


def run(command: str, path: Path, model: str, *options: str) -> dict[str, Any]:
    """What a command of llmbatch prints as JSON."""
    arguments = ["--model", model, "--json", *options]
    done = subprocess.run(
        [sys.executable, "-m", "llmbatch", command, str(path), *arguments], stdout=subprocess.PIPE, check=False
    )
    printed: dict[str, Any] = json.loads(done.stdout)
    return printed


def bill(path: Path, model: str, way: str) -> float:
    """What a run costs, US dollars."""
    of_endpoint, of_run = WAYS[way]
    with tempfile.TemporaryDirectory() as folder, offline_endpoint(*of_endpoint) as url:
        where = ("--base-url", url, "--out", f"{folder}/run", "--spend-store", "off", "--quiet")
        cost: float = run("classify", path, model, *READING, *where, *of_run)["usage"]["cost_usd"]
    return cost


def estimated(costs: dict[str, Any], way: str) -> float | None:
    """What an estimate says of a way; None where it has no price of its own."""
    cost = costs.get(way.partition(",")[0])
    if cost is None:
        return None
    expected: float = cost["low" if way == "batch, cached" else "expected"]
    return expected


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--model", action="append")
    options = parser.parse_args()
    print("| model | way | estimate | bill | of sync |")
    print("| --- | --- | ---: | ---: | ---: |")
    for model in options.model or MODELS:
        shown = run("estimate", options.data, model, *READING, "--exact")["models"][0]
        costs = {way["way"]: way["cost_usd"] for way in shown["ways"]}
        sync_usd = None
        for way in WAYS:
            if (expected := estimated(costs, way)) is not None:
                billed = bill(options.data, model, way)
                sync_usd = sync_usd or billed
                print(f"| {model} | {way} | ${expected:.4f} | ${billed:.4f} | {billed / sync_usd:.0%} |")


if __name__ == "__main__":
    main()
