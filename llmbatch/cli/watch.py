"""`llmbatch watch`: labels a folder's files as they arrive."""

from pathlib import Path
from typing import Annotated

import typer

from llmbatch.cli import bounds
from llmbatch.cli.command import command
from llmbatch.cli.commands import load
from llmbatch.cli.options.option import Option

app = typer.Typer(add_completion=False)


@command(app, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def watch(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder to watch.", file_okay=False, exists=True)],
    *,
    settle: Annotated[
        float,
        Option(
            "How long files must be unchanged before they are read.", metavar="SECONDS", min=0, max=bounds.MOST_SECONDS
        ),
    ] = 2.0,
) -> None:
    """Label a folder's files, then each new one as it arrives. Takes the options of llmbatch classify."""
    from llmbatch.session.watching import watched

    classify = load("classify")
    profile = ["--profile", context.params["profile"]] if context.params["profile"] else []
    arguments = [str(folder), *context.args, *profile]
    classify.make_context("classify", list(arguments))  # refuses a wrong option now instead of at the first file

    def label() -> int:
        return int(classify.main(list(arguments), standalone_mode=False) or 0)

    raise typer.Exit(watched(folder, label, settle_s=settle, say=lambda text: typer.echo(text, err=True)))
