"""`llmbatch classify`: the main job."""

import sys
from typing import TYPE_CHECKING

import typer

from llmbatch.cli.command import ENVIRONMENT, command
from llmbatch.cli.options.batch import BatchOptions
from llmbatch.cli.options.experiments import ExperimentOptions
from llmbatch.cli.options.input import InputOptions, Inputs
from llmbatch.cli.options.money import ConfirmationOptions, MoneyOptions
from llmbatch.cli.options.results import ResultOptions
from llmbatch.cli.options.reuse import ReuseOptions
from llmbatch.cli.options.run import run_options
from llmbatch.cli.options.screen import ScreenOptions
from llmbatch.cli.options.sending import SendingOptions
from llmbatch.cli.options.task import TaskOptions

if TYPE_CHECKING:
    from llmbatch.estimate.result import ModelEstimate
    from llmbatch.runs.options import RunOptions

app = typer.Typer(add_completion=False)


@command(app, epilog=ENVIRONMENT)
def classify(
    inputs: Inputs,
    *,
    reading: InputOptions,
    task: TaskOptions,
    results: ResultOptions,
    sending: SendingOptions,
    confirmation: ConfirmationOptions,
    money: MoneyOptions,
    reuse: ReuseOptions,
    experiments: ExperimentOptions,
    batch: BatchOptions,
    screen: ScreenOptions,
) -> None:
    """Label documents. Run it again to resume and to retry failed rows."""
    from llmbatch.cli.confirm import confirm_batch_of_few
    from llmbatch.cli.outcome import OutcomeStands
    from llmbatch.cli.show import present
    from llmbatch.core.filenames import shell_command
    from llmbatch.observe.observer import Observers
    from llmbatch.session.run import classify_run
    from llmbatch.telemetry.watch import watch

    options = run_options(
        tuple(inputs),
        reading=reading,
        task=task,
        results=results,
        sending=sending,
        money=money,
        reuse=reuse,
        experiments=experiments,
        batch=batch.to_batch(at_any_price=confirmation.yes),
        cheapest=batch.to_cheapest(),
        command=shell_command(["llmbatch", *map(_public, sys.argv[1:])]),
    )
    confirmation.ask(lambda above_nanousd: _dear_run(options, above_nanousd))
    confirm_batch_of_few(options)
    watching = screen.to_watch_options()
    with Observers([OutcomeStands(), watch(watching)]) as observers:
        summary = classify_run(options, observers)
    present(summary, json=screen.json, watching=watching)


def _dear_run(options: "RunOptions", above_nanousd: int) -> "ModelEstimate | None":
    from llmbatch.estimate.estimate import dear_run  # slow to load, and needed only with --confirm-above

    return dear_run(options, above_nanousd)


def _public(argument: str) -> str:
    """An argument without the secrets of an address, including `--option=ADDRESS`."""
    from llmbatch.readers import public_name

    option, equals, value = argument.partition("=")
    is_option = option.startswith("--") and equals
    return f"{option}={public_name(value)}" if is_option else public_name(argument)
