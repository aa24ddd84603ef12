"""`llmbatch retry`: ask again about a run's failed rows."""

from typing import Annotated

import typer

from llmbatch.cli import options as shared
from llmbatch.cli import watching
from llmbatch.cli.command import command
from llmbatch.cli.options.money import ConfirmationOptions, MoneyOptions
from llmbatch.cli.options.option import Except
from llmbatch.cli.options.sending import SendingOptions
from llmbatch.telemetry.log_format import LogFormat

app = typer.Typer(add_completion=False)


@command(app, epilog=shared.ENVIRONMENT)
def retry(
    run: shared.RunPath,
    *,
    only: Annotated[
        str | None,
        typer.Option(
            "--only",
            envvar="LLMBATCH_ONLY",
            show_envvar=False,
            rich_help_panel=shared.ROWS,
            metavar="KIND,...",
            help="Only rows that failed so: timeout,rate_limit.",
        ),
    ] = None,
    review: Annotated[
        bool,
        typer.Option(
            "--review",
            envvar="LLMBATCH_REVIEW",
            show_envvar=False,
            rich_help_panel=shared.ROWS,
            help="The rows in review instead, say with a stronger --model.",
        ),
    ] = False,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            envvar="LLMBATCH_RETRY_MODEL",
            show_envvar=False,
            rich_help_panel=shared.TASK,
            help="Ask this model about them.",
            show_default="the run's",
        ),
    ] = None,
    max_doc_tokens: shared.MaxDocTokens = None,
    truncate: shared.Truncate = None,
    sending: Annotated[SendingOptions, Except("dialect")],
    confirmation: ConfirmationOptions,
    money: MoneyOptions,
    max_failed: shared.MaxFailed = "0",
    salvage: shared.Salvage = False,
    json: shared.Json = False,
    quiet: shared.Quiet = False,
    log_format: watching.LogFormat = LogFormat.text,
    log_file: watching.LogFile = None,
    metrics_file: watching.MetricsFile = None,
    otel: watching.Otel = False,
    observer: watching.Observer = None,
    input: shared.NamedInput = None,  # noqa: A002 - the option's own name
    trust: shared.TrustRun = False,
) -> None:
    """Ask again about a run folder's failed rows, and nothing else."""
    from llmbatch.cli.outcome import OutcomeStands
    from llmbatch.cli.show import present
    from llmbatch.observe.observer import Observers
    from llmbatch.runs.options import RetryOptions, parse_tolerance
    from llmbatch.session.retry_estimate import dear_retry
    from llmbatch.session.run import retry_run
    from llmbatch.telemetry.watch import WatchOptions, watch

    options = RetryOptions(
        only=frozenset(kind.strip() for kind in (only or "").split(",") if kind.strip()),
        review=review,
        model=model,
        service_tier=sending.service_tier,
        max_doc_tokens=max_doc_tokens,
        truncate=truncate,
        sending=sending.to_sending(money),
        max_failed=parse_tolerance(max_failed),
        salvage=salvage,
    )
    trusted = shared.trusted(trust, input)
    confirmation.ask(lambda above_nusd: dear_retry(run, options, above_nusd, trust=trusted))
    watching_options = WatchOptions(
        quiet, log_format, log_file, metrics_file, otel=otel, observers=tuple(observer or ())
    )
    with Observers([OutcomeStands(), watch(watching_options)]) as observers:
        summary = retry_run(run, options, observers, trust=trusted)
    present(summary, json=json, watching=watching_options)
