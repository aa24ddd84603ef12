"""`llmbatch canary`: report on a prompt or model on trial, and adopt it."""

from pathlib import Path
from typing import Annotated

import typer

from llmbatch.cli.command import command, command_group
from llmbatch.cli.options.option import Only, Option
from llmbatch.cli.options.run_folder import RunFolderOptions, RunPath
from llmbatch.cli.options.screen import Json
from llmbatch.cli.output import print_json, print_path
from llmbatch.core.sanitize import neutral

app = command_group("Canary experiments: show the report, promote the canary.")


@command(app)
def report(run: RunPath, json: Json = False) -> None:
    """Show both arms of a run's canary side by side."""
    from llmbatch.observe.summary import canary_json
    from llmbatch.session.canary_report import canary_report
    from llmbatch.terminal import stdout_console
    from llmbatch.terminal.experiments import render_canary

    found = canary_report(run)
    if json:
        print_json(canary_json(found))
    else:
        render_canary(found, stdout_console())


@command(app)
def promote(
    run: RunPath,
    *,
    to: Annotated[
        Path | None,
        Option(
            "Where to write it.",
            metavar="FILE",
            shown_default="the run's own task file",
            variables=("LLMBATCH_CANARY_TO",),
        ),
    ] = None,
    folder: Annotated[RunFolderOptions, Only("trust")],
) -> None:
    """Replace the run's task file by the canary's; the old one is kept beside it."""
    from llmbatch.session.canary_report import promote_canary

    promoted = promote_canary(run, to, folder.to_trust())
    if promoted.path is not None:
        print_path(promoted.path)
    if promoted.kept is not None:
        typer.echo(neutral(f"the previous task file is kept as {promoted.kept}"), err=True)
    if promoted.model is not None:
        typer.echo(f"the canary used another model: continue with --model {promoted.model}", err=True)
