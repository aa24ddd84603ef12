"""`llmbatch watch`: a folder whose files are labelled as they come."""

from pathlib import Path
from typing import Annotated

import typer

from llmbatch.cli import bounds
from llmbatch.cli.commands import load

app = typer.Typer(add_completion=False)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def watch(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder that files are put into.", file_okay=False, exists=True)
    ],
    settle: Annotated[
        float,
        typer.Option(
            "--settle",
            min=0,
            max=bounds.MOST_SECONDS,
            metavar="SECONDS",
            envvar="LLMBATCH_SETTLE",
            show_envvar=False,
            help="How long no file may change before they are read.",
        ),
    ] = 2.0,
) -> None:
    """Label a folder's files, then each new one as it comes. Takes the options of llmbatch classify."""
    from llmbatch.session.watching import watched

    classify = load("classify")

    def label() -> int:
        return int(classify.main([str(folder), *context.args], standalone_mode=False) or 0)

    raise typer.Exit(watched(folder, label, settle_s=settle, say=lambda text: typer.echo(text, err=True)))
