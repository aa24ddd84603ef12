"""Going on with a run whose rows are finished: how long until a new row leaves, and until the views are written."""

import time
from pathlib import Path

import orjson

from benchmarks.inputs import finished_run, written_rows
from benchmarks.processes import classify, measured, static_endpoint


def resume_section(folder: Path, size: int) -> str:
    """A table: new rows at the input's end, so that all finished ones are read before them."""
    with static_endpoint() as endpoint:
        run = finished_run(folder, endpoint.url, size)
    path = written_rows(folder, size)
    lines = [
        "| session | until the first new request | from there until the views are written | peak memory |",
        "| --- | --- | --- | --- |",
    ]
    for session in ("without a checkpoint", "with one"):
        with path.open("ab") as rows:
            rows.write(orjson.dumps({"id": session, "text": f"A new document, {session}."}) + b"\n")
        with static_endpoint() as endpoint:
            began_at = time.monotonic()
            cost = measured(classify(path, endpoint.url, run))
            until_first_s = endpoint.first_request_at() - began_at
        lines.append(
            f"| {session} | {until_first_s:.1f} s | {cost.wall_s - until_first_s:.1f} s | {cost.peak_mb:.0f} MB |"
        )
    return "\n".join(
        [
            *lines,
            "",
            f"{size:,} finished rows and one new one behind them; the views hold all of them. A session that is killed",
            "leaves the last checkpoint that it kept on its way, at most some 80,000 lines ago.",
        ]
    )
