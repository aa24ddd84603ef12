"""`llmbatch merge`: joins a run's shards into one run."""

from typing import Annotated

import typer

from llmbatch.cli.command import command
from llmbatch.cli.options.option import Only
from llmbatch.cli.options.results import ResultOptions
from llmbatch.cli.options.run_folder import RunFolderOptions, RunPath
from llmbatch.cli.options.screen import Json, Quiet
from llmbatch.cli.output import print_json

app = typer.Typer(add_completion=False)


@command(app)
def merge(
    run: RunPath,
    *,
    results: Annotated[ResultOptions, Only("max_failed")],
    json: Json = False,
    quiet: Quiet = False,
    folder: RunFolderOptions,
) -> None:
    """Join a run's shards into one run, with one ledger and one set of results."""
    from llmbatch.observe.summary import summary_json
    from llmbatch.runs.options import parse_tolerance
    from llmbatch.session.merging import merge_run
    from llmbatch.terminal import make_screen, render_summary, stderr_console

    tolerance = parse_tolerance(results.max_failed)
    with make_screen(quiet=quiet) as observer:
        summary = merge_run(run, observer, tolerance, trust=folder.to_trust())
    if json:
        print_json(summary_json(summary))
    if not quiet:
        render_summary(summary, stderr_console())
    raise typer.Exit(summary.exit_code)
