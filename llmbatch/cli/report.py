"""`llmbatch report`: a run as a page for people."""

from pathlib import Path
from typing import Annotated

import typer

from llmbatch.cli.command import command
from llmbatch.cli.options.gold import GOLD, GoldFieldOptions
from llmbatch.cli.options.option import Option
from llmbatch.cli.options.run_folder import RunFolderOptions, RunPath
from llmbatch.cli.output import print_path

app = typer.Typer(add_completion=False)


@command(app)
def report(
    run: RunPath,
    *,
    out: Annotated[
        Path | None,
        Option("File to write.", short="-o", shown_default="RUN/report.html", variables=("LLMBATCH_REPORT_OUT",)),
    ] = None,
    gold: Annotated[str | None, GOLD] = None,
    gold_fields: GoldFieldOptions,
    folder: RunFolderOptions,
) -> None:
    """Write one HTML file that shows a run: charts, rows to look at. It loads nothing from elsewhere."""
    from llmbatch.core.extras import extra

    with extra("report", needed_by="llmbatch report"):
        from llmbatch.report.from_run import report_run

    options = None if gold is None else gold_fields.to_gold(gold)
    print_path(report_run(run, out, gold=options, trust=folder.to_trust()))
