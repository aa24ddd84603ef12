"""Inputs of any size, and runs that have finished them without asking for each."""

from pathlib import Path

import orjson
from msgspec.structs import replace

from benchmarks.processes import classify, measured
from llmbatch.runs.folder import RunFolder, load_record
from llmbatch.runs.ledger.lines import LineWriter
from llmbatch.runs.ledger.recover import read_lines
from llmbatch.runs.recorded_plan import recorded_plan

TEXT = "The nightly backup of server {n} stopped with an I/O error; the log shows a full disk and a failed retry."


def written_rows(folder: Path, count: int) -> Path:
    """An input of that many rows, each with a text of its own."""
    path = folder / f"rows-{count}.jsonl"
    with path.open("wb") as file:
        for n in range(count):
            file.write(orjson.dumps({"id": n, "text": TEXT.format(n=n)}) + b"\n")
    return path


def finished_run(folder: Path, url: str, count: int) -> Path:
    """A run folder in which so many rows are finished: one is asked, and its line written for all."""
    run = RunFolder(folder / f"finished-{count}")
    measured(classify(written_rows(folder, 1), url, run.path))
    ((_, line),) = read_lines(run.ledger)
    plan, lines = recorded_plan(load_record(run)), LineWriter()
    with run.ledger.open("wb") as ledger:
        for n in range(count):
            ledger.write(lines.encode(replace(line, row=n, id=n, key=plan.key(TEXT.format(n=n)))))
    return run.path
