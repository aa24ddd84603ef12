"""`llmbatch classify`: the main job."""

import sys

import typer

from llmbatch.cli import experiments, watching
from llmbatch.cli import input_options as reading
from llmbatch.cli import options as shared
from llmbatch.cli.command import command
from llmbatch.cli.field_names import given
from llmbatch.cli.options.money import ConfirmationOptions, MoneyOptions
from llmbatch.cli.options.sending import SendingOptions
from llmbatch.core import defaults
from llmbatch.core.rows import ConfidenceKind
from llmbatch.task.prefix_policy import PrefixPolicy
from llmbatch.telemetry.log_format import LogFormat

app = typer.Typer(add_completion=False)


@command(app, epilog=shared.ENVIRONMENT)
def classify(
    inputs: shared.Inputs,
    *,
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
    sending: SendingOptions,
    confirmation: ConfirmationOptions,
    money: MoneyOptions,
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
            service_tier=sending.service_tier,
            dialect=sending.dialect,
        ),
        sending=sending.to_sending(money),
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
    confirmation.ask(lambda above_nusd: dear_run(options, above_nusd))
    watching_options = WatchOptions(
        quiet, log_format, log_file, metrics_file, otel=otel, observers=tuple(observer or ())
    )
    with Observers([OutcomeStands(), watch(watching_options)]) as observers:
        summary = classify_run(options, observers)
    present(summary, json=json, watching=watching_options)
