"""`llmbatch export`: write a run's views again."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from llmbatch.cli import options as shared
from llmbatch.cli.output import print_path

app = typer.Typer(add_completion=False)


class Format(StrEnum):
    """What the views are written as."""

    jsonl = "jsonl"
    csv = "csv"


@app.command()
def export(
    run: shared.RunPath,
    format: Annotated[  # noqa: A002 - the option's own name
        Format, typer.Option("--format", "-f", envvar="LLMBATCH_FORMAT", show_envvar=False, help="What to write.")
    ] = Format.jsonl,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            envvar="LLMBATCH_EXPORT_OUT",
            show_envvar=False,
            help="Folder to write into.",
            show_default="RUN",
        ),
    ] = None,
    bom: shared.Bom = False,
    quiet: shared.Quiet = False,
    input: shared.NamedInput = None,  # noqa: A002 - the option's own name
    trust: shared.TrustRun = False,
) -> None:
    """Write results, review, failed and sample again, from the ledger and the input."""
    from llmbatch.core.errors import ExitCode
    from llmbatch.session.standing import export_run
    from llmbatch.terminal import make_screen

    with make_screen(quiet=quiet) as observer:
        summary = export_run(
            run, out=out, csv=format is Format.csv, observer=observer, trust=shared.trusted(trust, input), bom=bom
        )
    for name, path in summary.files.items():
        if name != "ledger":
            print_path(path)
    if summary.input_changes:
        raise typer.Exit(ExitCode.ROWS_FAILED)
