"""`llmbatch evaluate`: are a run's labels right?"""

from pathlib import Path
from typing import Annotated

import typer

from llmbatch.cli.command import command
from llmbatch.cli.options.gold import GOLD, GoldFieldOptions
from llmbatch.cli.options.option import Option
from llmbatch.cli.options.results import ResultOptions
from llmbatch.cli.options.run_folder import RunFolderOptions, RunPath
from llmbatch.cli.options.screen import Json
from llmbatch.cli.output import print_json

app = typer.Typer(add_completion=False)


@command(app)
def evaluate(
    run: RunPath,
    *,
    gold: Annotated[str, GOLD],
    gold_fields: GoldFieldOptions,
    precision: Annotated[
        str,
        Option(
            "Wanted precision of the rows that pass without review; recommends a --review-below for it.",
            metavar="P%",
            panel=ResultOptions.panel,
        ),
    ] = "98%",
    plot: Annotated[
        Path | None,
        Option(
            "Also draw confusion, reliability and thresholds: .png, .svg or .pdf.",
            metavar="FILE",
            panel=ResultOptions.panel,
        ),
    ] = None,
    json: Json = False,
    folder: RunFolderOptions,
) -> None:
    """Evaluate a run against gold labels: accuracy, confusions, calibration, a review threshold."""
    from llmbatch.analysis.evaluation import evaluation_json
    from llmbatch.analysis.plot import check_plot, save_plot
    from llmbatch.analysis.run_evaluation import evaluate_run
    from llmbatch.analysis.thresholds import parse_precision
    from llmbatch.terminal import stdout_console
    from llmbatch.terminal.evaluation import render_evaluation

    wanted = parse_precision(precision)
    if plot is not None:
        check_plot(plot)
    evaluation = evaluate_run(run, gold_fields.to_gold(gold), wanted=wanted, trust=folder.to_trust())
    if plot is not None:
        save_plot(evaluation, plot)
    if json:
        print_json(evaluation_json(evaluation))
    else:
        render_evaluation(evaluation, stdout_console(), plot=plot)
