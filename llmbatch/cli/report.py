"""`llmbatch report`: one or several runs as an HTML page."""

from pathlib import Path
from typing import Annotated

import typer

from llmbatch.cli.command import command
from llmbatch.cli.options.gold import GOLD, GoldFieldOptions
from llmbatch.cli.options.option import Option
from llmbatch.cli.options.run_folder import RunFolderOptions, RunPaths
from llmbatch.cli.output import print_path

app = typer.Typer(add_completion=False)


@command(app)
def report(
    runs: RunPaths,
    *,
    out: Annotated[
        Path | None,
        Option(
            "File to write.",
            short="-o",
            shown_default="RUN/report.html, for several runs.html",
            variables=("LLMBATCH_REPORT_OUT",),
        ),
    ] = None,
    gold: Annotated[str | None, GOLD] = None,
    gold_fields: GoldFieldOptions,
    folder: RunFolderOptions,
) -> None:
    """Write an HTML report of a run: charts, and rows to look at. For several runs, how their figures changed."""
    from llmbatch.core.errors import UsageError
    from llmbatch.core.extras import extra

    with extra("report", needed_by="llmbatch report"):
        from llmbatch.report.from_run import report_run, report_runs

    options = None if gold is None else gold_fields.to_gold(gold)
    trust = folder.to_trust()
    if len(runs) == 1:
        print_path(report_run(runs[0], out, gold=options, trust=trust))
        return
    if trust.inputs:
        raise UsageError("--input gives the input of one run", hint="report the runs one by one, or leave it out")
    target = out or Path("runs.html")
    report_runs(runs, target, gold=options, trust=trust)
    print_path(target)
