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

GATES = "Gates"


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
            brief="Wanted precision without review: 98%.",
            metavar="P%",
            panel=ResultOptions.panel,
        ),
    ] = "98%",
    plot: Annotated[
        Path | None,
        Option(
            "Also draw confusion, reliability and thresholds: .png, .svg or .pdf.",
            brief="Also draw it: .png, .svg or .pdf.",
            metavar="FILE",
            panel=ResultOptions.panel,
        ),
    ] = None,
    min_accuracy: Annotated[
        str | None,
        Option(
            "Exit with 3 unless the accuracy's interval lies above.",
            brief="Gate: least accuracy.",
            metavar="P%",
            panel=GATES,
        ),
    ] = None,
    min_f1: Annotated[
        list[str] | None,
        Option(
            "The same of a label's F1. Repeatable.",
            brief="Gate: least F1 of a label. Repeatable.",
            metavar="LABEL=P%",
            panel=GATES,
        ),
    ] = None,
    max_review: Annotated[
        str | None,
        Option(
            "Exit with 3 where a larger share of the run's rows goes to review.",
            brief="Gate: largest share in review.",
            metavar="P%",
            panel=GATES,
        ),
    ] = None,
    junit: Annotated[
        Path | None,
        Option(
            "Write what the gates found as a JUnit report.",
            brief="Write the gates as a JUnit report.",
            metavar="FILE",
            panel=GATES,
        ),
    ] = None,
    json: Json = False,
    folder: RunFolderOptions,
) -> None:
    """Evaluate a run against gold labels, and recommend a threshold."""
    from llmbatch.analysis.evaluation import evaluation_json
    from llmbatch.analysis.gates import gates, gates_json, parse_wanted, save_junit
    from llmbatch.analysis.plot import check_plot, save_plot
    from llmbatch.analysis.run_evaluation import evaluate_run, remember_accuracy
    from llmbatch.analysis.thresholds import parse_precision
    from llmbatch.core.errors import ExitCode
    from llmbatch.terminal import stdout_console
    from llmbatch.terminal.evaluation import render_evaluation

    wanted, wanted_gates = parse_precision(precision), parse_wanted(min_accuracy, min_f1 or (), max_review)
    if plot is not None:
        check_plot(plot)
    evaluation = evaluate_run(run, gold_fields.to_gold(gold), wanted=wanted, trust=folder.to_trust())
    if plot is not None:
        save_plot(evaluation, plot)
    remember_accuracy(run, evaluation)
    found = gates(evaluation, wanted_gates)
    if junit is not None:
        save_junit(junit, evaluation, found)
    if json:
        print_json({**evaluation_json(evaluation), "gates": gates_json(found)})
    else:
        render_evaluation(evaluation, stdout_console(), plot=plot, gates=found)
    if not all(gate.passed for gate in found):
        raise typer.Exit(ExitCode.ROWS_FAILED)
