"""`llmbatch canary`: how a prompt or model on trial did, and taking it over."""

from pathlib import Path
from typing import Annotated

import typer

from llmbatch.cli import options as shared
from llmbatch.cli.output import print_json, print_path
from llmbatch.core.sanitize import neutral

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Prompts and models on trial: how they did, and taking them over."
)


@app.command()
def report(run: shared.RunPath, json: shared.Json = False) -> None:
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


@app.command()
def promote(
    run: shared.RunPath,
    to: Annotated[
        Path | None,
        typer.Option(
            "--to",
            metavar="FILE",
            envvar="LLMBATCH_CANARY_TO",
            show_envvar=False,
            help="Where to write it.",
            show_default="the run's own task file",
        ),
    ] = None,
    trust: shared.TrustRun = False,
) -> None:
    """Put the canary's task file in the place of the run's own, which is kept beside it."""
    from llmbatch.session.canary_report import promote_canary

    promoted = promote_canary(run, to, shared.trusted(trust))
    if promoted.path is not None:
        print_path(promoted.path)
    if promoted.kept is not None:
        typer.echo(neutral(f"the task file that stood there is kept as {promoted.kept}"), err=True)
    if promoted.model is not None:
        typer.echo(f"the canary asked another model: go on with --model {promoted.model}", err=True)
