"""Run commands that send rows in batches, and read the resulting run folders."""

import json
from pathlib import Path
from typing import Any

from tests.e2e.forked import CONSTANTS
from tests.e2e.program import Done, Endpoint, Program, documents, read_rows, write_rows
from tests.ledgers import ledger_rows

_SESSION = "llmbatch.session.batches"
IMPATIENT: dict[str, Any] = {
    CONSTANTS: json.dumps(
        {
            f"{_SESSION}.submitting._LOOK_AGAIN_S": 0.01,
            f"{_SESSION}.submitting._FILE_WAITS_S": [0.01, 0.01],
            f"{_SESSION}.submitting._FIRST_REFUSAL_S": 0.02,
            f"{_SESSION}.collecting._NEW_S": 0,
            f"{_SESSION}.collecting._LATE_WAITS_S": [0.01, 0.01],
            f"{_SESSION}.submitting.FIRST_ROWS": 3,
            f"{_SESSION}.batch_loop._FIRST_POLL_S": 0.01,
            f"{_SESSION}.batch_loop._LONGEST_POLL_S": 0.05,
        }
    ),
    "LLMBATCH_SPEND_STORE": "spend.db",
}
ROWS = 12


def batched(llmbatch: Program, served: Endpoint, *options: str, rows: int = ROWS, **env: Any) -> Done:
    if not (llmbatch.folder / "docs.jsonl").exists():
        write_rows(llmbatch.folder / "docs.jsonl", documents(rows))
    command = ("classify", "docs.jsonl", "--json", "--base-url", served.url, "--batch", "--batch-size", "5")
    yes = () if "--no-yes" in options else ("--yes",)
    return llmbatch(*command, *yes, *(option for option in options if option != "--no-yes"), **{**IMPATIENT, **env})


def run_folder(llmbatch: Program) -> Path:
    return llmbatch.folder / "docs.llmbatch"


def ledger(llmbatch: Program) -> list[dict[str, Any]]:
    return ledger_rows(run_folder(llmbatch) / "ledger.jsonl")


def steps(llmbatch: Program) -> list[str]:
    return [line["event"] for line in read_rows(run_folder(llmbatch) / "batches.jsonl")]


def spent(llmbatch: Program) -> Any:
    return llmbatch("spend", "--json", **IMPATIENT).json["total"]
