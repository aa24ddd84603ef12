"""`llmbatch retry`: ask again about a run's failed rows."""

from typing import Annotated

import typer

from llmbatch.cli import options as shared
from llmbatch.cli import sending, watching
from llmbatch.core import defaults
from llmbatch.telemetry.log_format import LogFormat

app = typer.Typer(add_completion=False)


@app.command(epilog=shared.ENVIRONMENT)
def retry(
    run: shared.RunPath,
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
    service_tier: shared.ServiceTierWish = None,
    base_url: sending.BaseUrl = None,
    api_version: sending.ApiVersion = None,
    insecure_http: sending.InsecureHttp = False,
    offline: sending.Offline = False,
    fault: sending.Fault = None,
    concurrency: sending.Concurrency = defaults.CONCURRENCY,
    rpm: sending.Rpm = None,
    tpm: sending.Tpm = None,
    attempts: sending.Attempts = defaults.ATTEMPTS,
    timeout: sending.Timeout = None,
    retry_wait_min: sending.RetryWaitMin = defaults.RETRY_WAIT_MIN_S,
    retry_wait_max: sending.RetryWaitMax = defaults.RETRY_WAIT_MAX_S,
    max_wait: sending.MaxWait = defaults.MAX_WAIT_S,
    deadline: sending.Deadline = None,
    reask: sending.Reask = defaults.REASKS,
    stop_at_failures: sending.StopAtFailures = f"{defaults.STOP_AT_FAILURES}%",
    stop_at_invalid: sending.StopAtInvalid = f"{defaults.STOP_AT_INVALID}%",
    grace: sending.Grace = defaults.GRACE_S,
    price: sending.Price = None,
    max_cost: sending.MaxCost = None,
    confirm_above: shared.ConfirmAbove = None,
    yes: shared.Yes = False,
    daily_budget: sending.DailyBudget = None,
    alert_at: sending.AlertAt = defaults.ALERT_AT,
    alert_command: sending.AlertCommand = None,
    spend_store: sending.SpendStore = None,
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
    from llmbatch.cli.confirm import confirm
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
        service_tier=service_tier,
        max_doc_tokens=max_doc_tokens,
        truncate=truncate,
        sending=sending.sending_options(
            base_url=base_url,
            api_version=api_version,
            insecure_http=insecure_http,
            offline=offline,
            faults=fault,
            concurrency=concurrency,
            rpm=rpm,
            tpm=tpm,
            attempts=attempts,
            timeout_s=timeout,
            retry_wait_min_s=retry_wait_min,
            retry_wait_max_s=retry_wait_max,
            max_wait_s=max_wait,
            deadline=deadline,
            reask=reask,
            stop_at_failures=stop_at_failures,
            stop_at_invalid=stop_at_invalid,
            grace_s=grace,
            price=price,
            max_cost_usd=max_cost,
            daily_budget_usd=daily_budget,
            alert_at=alert_at,
            alert_command=alert_command,
            spend_store=spend_store,
        ),
        max_failed=parse_tolerance(max_failed),
        salvage=salvage,
    )
    trusted = shared.trusted(trust, input)
    if confirm_above is not None and not yes:
        confirm(lambda above_nusd: dear_retry(run, options, above_nusd, trust=trusted), confirm_above)
    watching_options = WatchOptions(
        quiet, log_format, log_file, metrics_file, otel=otel, observers=tuple(observer or ())
    )
    with Observers([OutcomeStands(), watch(watching_options)]) as observers:
        summary = retry_run(run, options, observers, trust=trusted)
    present(summary, json=json, watching=watching_options)
