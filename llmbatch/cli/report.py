"""`llmbatch report`: a run as a page for people."""

from pathlib import Path
from typing import Annotated

import typer

from llmbatch.cli import gold as golden
from llmbatch.cli import options as shared
from llmbatch.cli.output import print_path

app = typer.Typer(add_completion=False)


@app.command()
def report(
    run: shared.RunPath,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            envvar="LLMBATCH_REPORT_OUT",
            show_envvar=False,
            help="File to write.",
            show_default="RUN/report.html",
        ),
    ] = None,
    gold: golden.GoldFileIfAny = None,
    gold_id_field: golden.GoldIdField = None,
    label_field: golden.LabelField = None,
    input: shared.NamedInput = None,  # noqa: A002 - the option's own name
    trust: shared.TrustRun = False,
) -> None:
    """Write one HTML file that shows a run: charts, and the rows to look at. It fetches nothing."""
    from llmbatch.analysis.gold import GoldOptions
    from llmbatch.core.extras import extra

    with extra("report", needed_by="llmbatch report"):
        from llmbatch.report.from_run import report_run

    options = None if gold is None else GoldOptions(gold, gold_id_field, label_field)
    print_path(report_run(run, out, gold=options, trust=shared.trusted(trust, input)))
