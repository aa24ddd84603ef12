"""`llmbatch compare`: which model, which prompt?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmbatch.cli import bounds, protocol, sending, watching
from llmbatch.cli import gold as golden
from llmbatch.cli import input_options as reading
from llmbatch.cli import options as shared
from llmbatch.core import defaults
from llmbatch.core.rows import ConfidenceKind
from llmbatch.telemetry.log_format import LogFormat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmbatch.runs.options import RunOptions

app = typer.Typer(add_completion=False)


@app.command(epilog=shared.ENVIRONMENT)
def compare(
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT...", help="As for classify.", show_default=False)],
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            envvar="LLMBATCH_COMPARE_MODEL",
            show_envvar=False,
            rich_help_panel=shared.TASK,
            help="Model to compare; say it once for each. The first is the one that others are held against.",
            show_default=False,
        ),
    ] = None,
    prompt: Annotated[
        list[str] | None,
        typer.Option(
            "--task",
            "--prompt",
            "-p",
            envvar="LLMBATCH_COMPARE_PROMPT",
            show_envvar=False,
            rich_help_panel=shared.TASK,
            help="Task file to compare, or a packaged task; each model is asked with each.",
            show_default=False,
        ),
    ] = None,
    rows: Annotated[
        int,
        typer.Option(
            "--rows",
            "-n",
            min=1,
            max=bounds.MOST_ROWS,
            envvar="LLMBATCH_COMPARE_ROWS",
            show_envvar=False,
            rich_help_panel=shared.ROWS,
            help="Rows drawn at random, of those that have gold where there is gold.",
        ),
    ] = 50,
    seed: shared.Seed = 0,
    gold: Annotated[
        str | None,
        typer.Option(
            "--gold",
            "-g",
            metavar="FILE",
            envvar="LLMBATCH_GOLD",
            show_envvar=False,
            rich_help_panel=golden.GOLD,
            help="Right labels, as for evaluate: which arm is right where they differ?",
        ),
    ] = None,
    gold_id_field: golden.GoldIdField = None,
    label_field: golden.LabelField = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            envvar="LLMBATCH_COMPARE_OUT",
            show_envvar=False,
            rich_help_panel=shared.RESULTS,
            help="Folder of the comparison.",
            show_default="INPUT.compare.llmbatch",
        ),
    ] = None,
    id_field: reading.IdField = None,
    text_field: reading.TextField = None,
    input_format: reading.InputFormat = None,
    encoding: reading.Encoding = None,
    delimiter: reading.Delimiter = None,
    quote: reading.Quote = None,
    escape: reading.Escape = None,
    no_header: reading.NoHeader = False,
    skip_lines: reading.SkipLines = 0,
    query: reading.Query = None,
    reasoning: shared.Reasoning = False,
    confidence: shared.Confidence = ConfidenceKind.reported,
    service_tier: shared.ServiceTierWish = None,
    base_url: sending.BaseUrl = None,
    dialect: protocol.Dialect = defaults.DIALECT,
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
    json: shared.Json = False,
    quiet: shared.Quiet = False,
    log_format: watching.LogFormat = LogFormat.text,
    log_file: watching.LogFile = None,
) -> None:
    """Ask two or more models or prompts about the same random rows, and hold their answers side by side."""
    from llmbatch.analysis.compare import CompareOptions, compare_runs
    from llmbatch.analysis.comparison import compared_json
    from llmbatch.analysis.gold import GoldOptions
    from llmbatch.cli.confirm import confirm
    from llmbatch.cli.output import print_json
    from llmbatch.engine.plan import ModelChoice
    from llmbatch.estimate.estimate import dear_runs
    from llmbatch.telemetry.watch import WatchOptions, watch
    from llmbatch.terminal import stdout_console
    from llmbatch.terminal.comparison import render_comparison

    options = CompareOptions(
        inputs=tuple(inputs),
        models=tuple(model or ()),
        prompts=tuple(prompt or ()),
        rows=rows,
        seed=seed,
        gold=None if gold is None else GoldOptions(gold, gold_id_field, label_field),
        out=out,
        choice=ModelChoice(reasoning=reasoning, confidence=confidence, service_tier=service_tier, dialect=dialect),
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
        reading=reading.reader_options(
            id_field,
            text_field,
            input_format,
            encoding=encoding,
            delimiter=delimiter,
            quote=quote,
            escape=escape,
            no_header=no_header,
            skip_lines=skip_lines,
            query=query,
        ),
    )
    watching_options = WatchOptions(quiet, log_format, log_file)

    def begin(runs: "Sequence[RunOptions]") -> None:
        if confirm_above is not None and not yes:
            confirm(lambda above_nusd: dear_runs(runs, above_nusd), confirm_above)

    compared = compare_runs(options, lambda: watch(watching_options), confirm=begin)
    if json:
        print_json(compared_json(compared))
    else:
        render_comparison(compared, stdout_console())
    raise typer.Exit(compared.exit_code)
