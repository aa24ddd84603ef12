"""`llmbatch classify`: the main job."""

import sys

import typer

from llmbatch.cli import experiments, protocol, sending, watching
from llmbatch.cli import input_options as reading
from llmbatch.cli import options as shared
from llmbatch.cli.field_names import given
from llmbatch.core import defaults
from llmbatch.core.rows import ConfidenceKind
from llmbatch.task.prefix_policy import PrefixPolicy
from llmbatch.telemetry.log_format import LogFormat

app = typer.Typer(add_completion=False)


@app.command(epilog=shared.ENVIRONMENT)
def classify(
    inputs: shared.Inputs,
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
    strict: shared.Strict = False,
    prompt: shared.Prompt = None,
    model: shared.Model = None,
    out: shared.Out = None,
    keep: shared.Keep = None,
    review_below: shared.ReviewBelow = None,
    sample: shared.SampleSize = "0%",
    seed: shared.Seed = 0,
    reasoning: shared.Reasoning = False,
    temperature: shared.Temperature = None,
    reasoning_effort: shared.ReasoningEffort = None,
    max_output_tokens: shared.MaxOutputTokens = None,
    max_doc_tokens: shared.MaxDocTokens = None,
    truncate: shared.Truncate = None,
    prefix: shared.Prefix = PrefixPolicy.AUTO,
    confidence: shared.Confidence = ConfidenceKind.reported,
    calibration: shared.Calibration = None,
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
    reuse: shared.ReuseAnswers = False,
    reuse_store: shared.ReuseStore = None,
    reuse_limit: shared.ReuseLimit = defaults.REUSE_LIMIT_MB,
    reuse_max_age: shared.ReuseMaxAge = None,
    canary_prompt: experiments.CanaryPrompt = None,
    canary_model: experiments.CanaryModel = None,
    canary_share: experiments.CanaryShare = f"{defaults.CANARY_SHARE}%",
    canary_expand: experiments.CanaryExpand = False,
    escalate_to: experiments.EscalateTo = None,
    baseline: experiments.Baseline = None,
    fail_on_drift: experiments.FailOnDrift = False,
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
) -> None:
    """Label documents. Run it again to go on where it stood and to retry what failed."""
    from llmbatch.cli.confirm import confirm
    from llmbatch.cli.outcome import OutcomeStands
    from llmbatch.cli.show import present
    from llmbatch.core.filenames import shell_command
    from llmbatch.engine.plan import ModelChoice
    from llmbatch.estimate.estimate import dear_run
    from llmbatch.observe.observer import Observers
    from llmbatch.readers import public_name
    from llmbatch.runs.options import RunOptions, parse_tolerance
    from llmbatch.runs.outputs import parse_sample
    from llmbatch.session.run import classify_run
    from llmbatch.telemetry.watch import WatchOptions, watch

    options = RunOptions(
        inputs=tuple(inputs),
        out=out,
        task=prompt,
        choice=ModelChoice(
            model,
            temperature,
            reasoning_effort,
            max_output_tokens,
            reasoning,
            max_doc_tokens,
            truncate,
            prefix,
            confidence,
            service_tier=service_tier,
            dialect=dialect,
        ),
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
        keep=given(keep),
        strict=strict,
        review_below=review_below,
        sample=parse_sample(sample, seed),
        max_failed=parse_tolerance(max_failed),
        reuse=shared.reuse_options(reuse, reuse_store, reuse_limit, reuse_max_age),
        canary=experiments.canary_options(canary_prompt, canary_model, canary_share, expand=canary_expand),
        escalate_to=escalate_to,
        baseline=baseline,
        fail_on_drift=fail_on_drift,
        salvage=salvage,
        calibration=calibration,
        command=shell_command(["llmbatch", *map(public_name, sys.argv[1:])]),
    )
    if confirm_above is not None and not yes:
        confirm(lambda above_nusd: dear_run(options, above_nusd), confirm_above)
    watching_options = WatchOptions(
        quiet, log_format, log_file, metrics_file, otel=otel, observers=tuple(observer or ())
    )
    with Observers([OutcomeStands(), watch(watching_options)]) as observers:
        summary = classify_run(options, observers)
    present(summary, json=json, watching=watching_options)
