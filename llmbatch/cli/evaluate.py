"""`llmbatch evaluate`: are a run's labels right?"""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmbatch.cli.command import command
from llmbatch.cli.options.gold import GOLD, GoldFieldOptions
from llmbatch.cli.options.option import Option
from llmbatch.cli.options.results import ResultOptions
from llmbatch.cli.options.run_folder import RunFolderOptions, RunPath
from llmbatch.cli.options.screen import Json
from llmbatch.cli.output import print_json

if TYPE_CHECKING:
    from llmbatch.analysis.evaluation import Evaluation
    from llmbatch.analysis.gates import Gate

app = typer.Typer(add_completion=False)

GATES = "Gates"
_GOLD = replace(GOLD, help=f"{GOLD.help} Without it, the human decisions in the run folder (llmbatch review).")


@command(app)
def evaluate(
    run: RunPath,
    *,
    gold: Annotated[str | None, _GOLD] = None,
    gold_fields: GoldFieldOptions,
    precision: Annotated[
        str,
        Option(
            "Target precision of the rows that pass without review; recommends a --review-below for it.",
            brief="Target precision without review: 98%.",
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
            "Exit with 3 unless the accuracy's whole interval is above this.",
            brief="Gate: minimum accuracy.",
            metavar="P%",
            panel=GATES,
        ),
    ] = None,
    min_f1: Annotated[
        list[str] | None,
        Option(
            "Same, for a label's F1. Repeatable.",
            brief="Gate: minimum F1 of a label. Repeatable.",
            metavar="LABEL=P%",
            panel=GATES,
        ),
    ] = None,
    max_review: Annotated[
        str | None,
        Option(
            "Exit with 3 if a larger share of the run's rows goes to review.",
            brief="Gate: maximum share in review.",
            metavar="P%",
            panel=GATES,
        ),
    ] = None,
    junit: Annotated[
        Path | None,
        Option(
            "Write the results of the gates as a JUnit report.",
            brief="Write the gates as a JUnit report.",
            metavar="FILE",
            panel=GATES,
        ),
    ] = None,
    github: Annotated[
        bool,
        Option(
            "In a GitHub Actions job: annotate the gates and write a job summary.",
            brief="Annotations and summary for GitHub Actions.",
            panel=GATES,
        ),
    ] = False,
    apply: Annotated[
        bool,
        Option(
            "Write the recommended threshold into the task file, as review_below of its [model].",
            brief="Write the recommended threshold into the task.",
            is_sensitive=True,
            panel=ResultOptions.panel,
        ),
    ] = False,
    json: Json = False,
    folder: RunFolderOptions,
) -> None:
    """Evaluate a run against gold labels, and recommend a threshold."""
    from llmbatch.analysis.apply import apply_threshold
    from llmbatch.analysis.evaluation import evaluation_json
    from llmbatch.analysis.gates import gates, gates_json, parse_wanted, save_junit
    from llmbatch.analysis.gold import GoldOptions
    from llmbatch.analysis.plot import check_plot, save_plot
    from llmbatch.analysis.run_evaluation import evaluate_run, remember_accuracy
    from llmbatch.analysis.thresholds import parse_precision
    from llmbatch.core.errors import ExitCode
    from llmbatch.core.sanitize import neutral
    from llmbatch.review.export import decisions_as_gold
    from llmbatch.terminal import stdout_console
    from llmbatch.terminal.evaluation import render_evaluation

    wanted, wanted_gates = parse_precision(precision), parse_wanted(min_accuracy, min_f1 or (), max_review)
    if plot is not None:
        check_plot(plot)
    trust = folder.to_trust()
    if gold is not None:
        evaluation = evaluate_run(run, gold_fields.to_gold(gold), wanted=wanted, trust=trust)
    else:
        with decisions_as_gold(run, trust) as decided:
            evaluation = evaluate_run(run, GoldOptions(decided), wanted=wanted, trust=trust).by_decisions()
    if plot is not None:
        save_plot(evaluation, plot)
    remember_accuracy(run, evaluation)
    found = gates(evaluation, wanted_gates)
    if junit is not None:
        save_junit(junit, evaluation, found)
    applied = apply_threshold(run, evaluation, trust) if apply else None
    if json:
        written = None if applied is None else asdict(applied)
        print_json({**evaluation_json(evaluation), "gates": gates_json(found), "applied": written})
    else:
        render_evaluation(evaluation, stdout_console(), plot=plot, gates=found)
    if applied is not None:
        before = "" if applied.before is None else f", in place of {applied.before:g}"
        typer.echo(neutral(f"review_below = {applied.review_below:g} written to {applied.task}{before}"), err=True)
    if github:
        _show_on_github(evaluation, found)
    if not all(gate.passed for gate in found):
        raise typer.Exit(ExitCode.ROWS_FAILED)


def _show_on_github(evaluation: "Evaluation", gates: "tuple[Gate, ...]") -> None:
    from llmbatch.analysis.github import SUMMARY_FILE, annotations, write_job_summary

    for line in annotations(evaluation, gates):
        typer.echo(line, err=True)  # a job reads both streams, and the other one may be JSON for another program
    if not write_job_summary(evaluation, gates):
        typer.echo(f"no summary written: {SUMMARY_FILE} is not set", err=True)
