"""`llmbatch export`: write a run's views again."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmbatch.cli.command import command
from llmbatch.cli.options.option import Option
from llmbatch.cli.options.results import Bom
from llmbatch.cli.options.run_folder import RunFolderOptions, RunPath
from llmbatch.cli.options.screen import Quiet
from llmbatch.cli.output import print_path

if TYPE_CHECKING:
    from llmbatch.readers import BucketFolder
    from llmbatch.runs.outputs import TableDestination

app = typer.Typer(add_completion=False)

_JSONL = "jsonl"


@command(app)
def export(
    run: RunPath,
    *,
    format: Annotated[  # noqa: A002 - the option's own name
        str,
        Option(
            "What to write; plug-ins add formats.",
            brief="What to write; without it jsonl.",
            short="-f",
            metavar="jsonl|csv|parquet|NAME",
        ),
    ] = _JSONL,
    out: Annotated[
        str | None,
        Option(
            "Folder to write into: local, or s3://BUCKET/FOLDER, gs://..., az://...",
            brief="Folder to write into; without it RUN.",
            short="-o",
            metavar="FOLDER",
            shown_default="RUN",
            variables=("LLMBATCH_EXPORT_OUT",),
            is_sensitive=True,
        ),
    ] = None,
    to: Annotated[
        str | None,
        Option(
            "Write into tables instead: sqlite:///FILE or postgresql://USER@HOST/DATABASE.",
            brief="Write into tables instead: sqlite:///FILE, ...",
            metavar="DATABASE",
            variables=("LLMBATCH_EXPORT_TO",),
            is_sensitive=True,
        ),
    ] = None,
    table: Annotated[
        str | None,
        Option(
            "With --to: the table for results; NAME_review and NAME_failed get the other rows.",
            brief="With --to: the table for results.",
            metavar="NAME",
            is_sensitive=True,
        ),
    ] = None,
    explode: Annotated[
        str | None,
        Option(
            "With --out: write a row once per label of this field, which has several labels.",
            brief="With --out: a row once per label of this field.",
            metavar="FIELD",
        ),
    ] = None,
    bom: Bom = False,
    quiet: Quiet = False,
    folder: RunFolderOptions,
) -> None:
    """Write a run's results again, as files or tables. Also writes review, failed and sample."""
    from llmbatch.core.errors import ExitCode, UsageError
    from llmbatch.runs.outputs import output_format
    from llmbatch.session.standing import export_run
    from llmbatch.terminal import make_screen

    destination = _destination(to, table)
    if destination is not None and (out is not None or bom or format != _JSONL):
        raise UsageError("--to writes tables: --out, --format and --bom apply to files", hint="leave them out")
    with make_screen(quiet=quiet) as observer:
        summary = export_run(
            run,
            observer=observer,
            out=_folder(out) if destination is None else destination,
            output_format=output_format(format, bom=bom),
            explode=explode,
            trust=folder.to_trust(),
        )
    for name, path in summary.files.items():
        if name != "ledger":
            print_path(path)
    if summary.input_changes:
        raise typer.Exit(ExitCode.ROWS_FAILED)


def _folder(name: str | None) -> "Path | BucketFolder | None":
    """The folder that the user names, if any."""
    from llmbatch.readers import BucketFolder, is_address

    if name is None:
        return None
    return BucketFolder.parse(name) if is_address(name) else Path(name)


def _destination(address: str | None, table: str | None) -> "TableDestination | None":
    """The tables that the user names, if any."""
    from llmbatch.core.errors import UsageError
    from llmbatch.runs.outputs import TableDestination

    if address is None and table is None:
        return None
    if address is None:
        raise UsageError("--table needs --to (the database)", hint="use --to sqlite:///FILE or --to postgresql://...")
    if table is None:
        raise UsageError("--to needs --table (the table for results)", hint="use --table labels")
    return TableDestination.parse(address, table)
