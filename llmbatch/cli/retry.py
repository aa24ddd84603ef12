"""`llmbatch retry`: send a run's failed rows again."""

from typing import Annotated

import typer

from llmbatch.cli.command import ENVIRONMENT, command
from llmbatch.cli.completion import models
from llmbatch.cli.options.batch import BatchOptions
from llmbatch.cli.options.input import WHICH_ROWS
from llmbatch.cli.options.money import ConfirmationOptions, MoneyOptions
from llmbatch.cli.options.option import Except, Only, Option
from llmbatch.cli.options.results import ResultOptions
from llmbatch.cli.options.run_folder import RunFolderOptions, RunPath
from llmbatch.cli.options.screen import ScreenOptions
from llmbatch.cli.options.sending import SendingOptions
from llmbatch.cli.options.task import TaskOptions

app = typer.Typer(add_completion=False)


@command(app, epilog=ENVIRONMENT)
def retry(
    run: RunPath,
    *,
    only: Annotated[
        str | None,
        Option(
            "Only rows with this kind of failure: timeout,rate_limit.",
            brief="Only this kind of failure: timeout,rate_limit.",
            metavar="KIND,...",
            panel=WHICH_ROWS,
        ),
    ] = None,
    review: Annotated[
        bool,
        Option(
            "Retry the rows in review instead, for example with a stronger --model.",
            brief="Retry the rows in review instead.",
            panel=WHICH_ROWS,
        ),
    ] = False,
    model: Annotated[
        str | None,
        Option(
            "Send them to this model.",
            brief=True,
            short="-m",
            completer=models,
            shown_default="the run's",
            panel=TaskOptions.panel,
            variables=("LLMBATCH_RETRY_MODEL",),
        ),
    ] = None,
    task: Annotated[TaskOptions, Only("decisions", "max_doc_tokens", "truncate")],
    sending: Annotated[SendingOptions, Except("dialect", "rows_per_request", "max_packing_loss")],
    confirmation: ConfirmationOptions,
    money: MoneyOptions,
    results: Annotated[ResultOptions, Only("max_failed", "salvage")],
    batch: Annotated[BatchOptions, Except("cheapest", "batch_export", "batch_import")],
    screen: ScreenOptions,
    folder: RunFolderOptions,
) -> None:
    """Retry a run folder's failed rows only."""
    from llmbatch.cli.outcome import OutcomeStands
    from llmbatch.cli.show import present
    from llmbatch.observe.observer import Observers
    from llmbatch.runs.options import RetryOptions, parse_tolerance
    from llmbatch.session.retry_estimate import dear_retry
    from llmbatch.session.run import retry_run
    from llmbatch.telemetry.watch import watch

    options = RetryOptions(
        only=frozenset(kind.strip() for kind in (only or "").split(",") if kind.strip()),
        review=review,
        model=model,
        service_tier=sending.service_tier,
        decisions=task.decisions,
        max_doc_tokens=task.max_doc_tokens,
        truncate=task.truncate,
        sending=sending.to_sending(money),
        max_failed=parse_tolerance(results.max_failed),
        salvage=results.salvage,
        batch=batch.to_batch(at_any_price=confirmation.yes),
    )
    trusted = folder.to_trust()
    confirmation.ask(lambda above_nanousd: dear_retry(run, options, above_nanousd, trust=trusted))
    watching = screen.to_watch_options()
    with Observers([OutcomeStands(), watch(watching)]) as observers:
        summary = retry_run(run, options, observers, trust=trusted)
    present(summary, json=screen.json, watching=watching)
