"""`llmbatch estimate`: what a run would cost, before a cent is spent."""

from typing import Annotated

import typer

from llmbatch.cli.command import ENVIRONMENT, command
from llmbatch.cli.completion import models
from llmbatch.cli.options.experiments import ExperimentOptions
from llmbatch.cli.options.input import InputOptions, Inputs
from llmbatch.cli.options.money import MoneyOptions
from llmbatch.cli.options.option import Except, Only, Option
from llmbatch.cli.options.results import ResultOptions
from llmbatch.cli.options.reuse import ReuseOptions
from llmbatch.cli.options.run import run_options
from llmbatch.cli.options.screen import Json
from llmbatch.cli.options.sending import SendingOptions
from llmbatch.cli.options.task import TaskOptions
from llmbatch.cli.output import print_json
from llmbatch.core import defaults

app = typer.Typer(add_completion=False)


@command(app, epilog=ENVIRONMENT)
def estimate(
    inputs: Inputs,
    *,
    reading: Annotated[InputOptions, Except("strict")],
    model: Annotated[
        list[str] | None,
        Option(
            f"Model to use; several are shown side by side. Default: the task's, else {defaults.MODEL}.",
            brief="Model. Repeatable: several are shown side by side.",
            short="-m",
            metavar="M",
            completer=models,
            panel=TaskOptions.panel,
        ),
    ] = None,
    task: Annotated[TaskOptions, Except("model")],
    results: Annotated[ResultOptions, Only("out", "review_below")],
    sending: Annotated[
        SendingOptions,
        Only(
            "service_tier",
            "base_url",
            "dialect",
            "offline",
            "concurrency",
            "rows_per_request",
            "max_packing_loss",
            "rpm",
            "tpm",
        ),
    ],
    money: Annotated[MoneyOptions, Only("price")],
    experiments: Annotated[ExperimentOptions, Except("baseline", "fail_on_drift")],
    exact: Annotated[
        bool,
        Option(
            "Count every document's tokens; by default large inputs are sampled, and the margin is shown.",
            brief="Count every document's tokens, not a sample's.",
            panel=InputOptions.panel,
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Estimate what classify would cost and how long it would take. Nothing is sent; no key is needed."""
    from llmbatch.estimate.estimate import EstimateOptions, estimate_run
    from llmbatch.estimate.result import estimate_json
    from llmbatch.terminal import stdout_console
    from llmbatch.terminal.estimate import render_estimate

    run = run_options(
        tuple(inputs),
        reading=reading,
        task=task,
        results=results,
        sending=sending,
        money=money,
        reuse=ReuseOptions(),
        experiments=experiments,
    )
    estimated = estimate_run(EstimateOptions(run, tuple(model or ()), exact))
    if json:
        print_json(estimate_json(estimated))
    else:
        render_estimate(estimated, stdout_console())
