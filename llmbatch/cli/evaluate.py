"""`llmbatch evaluate`: are a run's labels right?"""

from pathlib import Path
from typing import Annotated

import typer

from llmbatch.cli import gold as golden
from llmbatch.cli import options as shared
from llmbatch.cli.output import print_json

app = typer.Typer(add_completion=False)


@app.command()
def evaluate(
    run: shared.RunPath,
    gold: golden.GoldFile,
    gold_id_field: golden.GoldIdField = None,
    label_field: golden.LabelField = None,
    precision: Annotated[
        str,
        typer.Option(
            "--precision",
            metavar="P%",
            envvar="LLMBATCH_PRECISION",
            show_envvar=False,
            rich_help_panel=shared.RESULTS,
            help="Wanted of the rows that nobody looks at; a --review-below for it is recommended.",
        ),
    ] = "98%",
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            metavar="FILE",
            envvar="LLMBATCH_PLOT",
            show_envvar=False,
            rich_help_panel=shared.RESULTS,
            help="Also draw confusion, reliability and thresholds: .png, .svg or .pdf.",
        ),
    ] = None,
    json: shared.Json = False,
    input: shared.NamedInput = None,  # noqa: A002 - the option's own name
    trust: shared.TrustRun = False,
) -> None:
    """Measure a run's labels against gold ones: accuracy, confusions, calibration, the threshold to take."""
    from llmbatch.analysis.evaluation import evaluation_json
    from llmbatch.analysis.gold import GoldOptions
    from llmbatch.analysis.plot import check_plot, save_plot
    from llmbatch.analysis.run_evaluation import evaluate_run
    from llmbatch.analysis.thresholds import parse_precision
    from llmbatch.terminal import stdout_console
    from llmbatch.terminal.evaluation import render_evaluation

    wanted = parse_precision(precision)
    if plot is not None:
        check_plot(plot)
    evaluation = evaluate_run(
        run, GoldOptions(gold, gold_id_field, label_field), wanted=wanted, trust=shared.trusted(trust, input)
    )
    if plot is not None:
        save_plot(evaluation, plot)
    if json:
        print_json(evaluation_json(evaluation))
    else:
        render_evaluation(evaluation, stdout_console(), plot=plot)
