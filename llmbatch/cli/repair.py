"""`llmbatch repair`: moves damaged lines of a run folder's logs aside."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import typer

from llmbatch.cli.command import command
from llmbatch.cli.options.run_folder import RunPath
from llmbatch.cli.options.screen import Json
from llmbatch.cli.output import print_json

if TYPE_CHECKING:
    from llmbatch.session.repair import Repair

app = typer.Typer(add_completion=False)


@command(app)
def repair(run: RunPath, *, json: Json = False) -> None:
    """Move damaged lines of a run's logs aside, and keep the rest. Nothing is sent."""
    from llmbatch.core.sanitize import neutral
    from llmbatch.session.repair import repair_run

    repaired = repair_run(run)
    if json:
        print_json(_json(repaired))
    else:
        for line in _lines(repaired):
            typer.echo(neutral(line))


def _json(repaired: "Repair") -> dict[str, Any]:
    return {
        "folder": str(repaired.folder),
        "ledger_lines": 0 if repaired.ledger is None else repaired.ledger.lines,
        "decisions": 0 if repaired.decisions is None else repaired.decisions.lines,
        "files": [str(path) for path in _files(repaired)],
        "next": repaired.command if repaired.ledger is not None else None,
    }


def _files(repaired: "Repair") -> "Iterator[Any]":
    yield from repaired.torn
    yield from (log.aside for log in (repaired.ledger, repaired.decisions) if log is not None)


def _lines(repaired: "Repair") -> Iterator[str]:
    from llmbatch.core.plurals import counted

    for path in repaired.torn:
        yield f"the incomplete end of a log was moved to {path}"
    for name, log in (("ledger.jsonl", repaired.ledger), ("decisions.jsonl", repaired.decisions)):
        if log is not None:
            yield f"{counted(log.lines, 'damaged line')} of {name} moved to {log.aside}"
    if repaired.ledger is not None:
        yield f"their rows are sent again by: {repaired.command}"
    if not any(_files(repaired)):
        yield f"{repaired.folder}: nothing is damaged"
