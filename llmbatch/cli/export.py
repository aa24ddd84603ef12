"""`llmbatch export`: write a run's views again."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmbatch.cli import options as shared
from llmbatch.cli.output import print_path

if TYPE_CHECKING:
    from llmbatch.runs.outputs import TableDestination

app = typer.Typer(add_completion=False)

_JSONL = "jsonl"


@app.command()
def export(
    run: shared.RunPath,
    format: Annotated[  # noqa: A002 - the option's own name
        str,
        typer.Option(
            "--format",
            "-f",
            metavar="jsonl|csv|NAME",
            envvar="LLMBATCH_FORMAT",
            show_envvar=False,
            help="What to write; a plug-in brings others.",
        ),
    ] = _JSONL,
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
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="DATABASE",
            envvar="LLMBATCH_EXPORT_TO",
            show_envvar=False,
            help="Write into tables instead: sqlite:///FILE or postgresql://USER@HOST/DATABASE.",
        ),
    ] = None,
    table: Annotated[
        str | None,
        typer.Option(
            "--table",
            metavar="NAME",
            envvar="LLMBATCH_TABLE",
            show_envvar=False,
            help="With --to: the table of results; NAME_review and NAME_failed have the other rows.",
        ),
    ] = None,
    bom: shared.Bom = False,
    quiet: shared.Quiet = False,
    input: shared.NamedInput = None,  # noqa: A002 - the option's own name
    trust: shared.TrustRun = False,
) -> None:
    """Write results, review, failed and sample again, from the ledger and the input: as files or as tables."""
    from llmbatch.core.errors import ExitCode, UsageError
    from llmbatch.runs.outputs import output_format
    from llmbatch.session.standing import export_run
    from llmbatch.terminal import make_screen

    destination = _destination(to, table)
    if destination is not None and (out is not None or bom or format != _JSONL):
        raise UsageError("--to writes tables: --out, --format and --bom are about files", hint="leave them out")
    with make_screen(quiet=quiet) as observer:
        summary = export_run(
            run,
            observer=observer,
            out=out if destination is None else destination,
            output_format=output_format(format, bom=bom),
            trust=shared.trusted(trust, input),
        )
    for name, path in summary.files.items():
        if name != "ledger":
            print_path(path)
    if summary.input_changes:
        raise typer.Exit(ExitCode.ROWS_FAILED)


def _destination(address: str | None, table: str | None) -> "TableDestination | None":
    """The tables that the user names, if any."""
    from llmbatch.core.errors import UsageError
    from llmbatch.runs.outputs import TableDestination

    if address is None and table is None:
        return None
    if address is None:
        raise UsageError("--table needs --to, the database", hint="say --to sqlite:///FILE or --to postgresql://...")
    if table is None:
        raise UsageError("--to needs --table, the table of results", hint="say --table labels")
    return TableDestination.parse(address, table)
