"""`llmbatch estimate`: what a run would cost, before a cent is spent."""

from typing import Annotated

import typer

from llmbatch.cli import experiments
from llmbatch.cli import input_options as reading
from llmbatch.cli import options as shared
from llmbatch.cli.command import command
from llmbatch.cli.options.money import MoneyOptions
from llmbatch.cli.options.option import Only
from llmbatch.cli.options.sending import SendingOptions
from llmbatch.cli.output import print_json
from llmbatch.core import defaults
from llmbatch.core.rows import ConfidenceKind
from llmbatch.task.prefix_policy import PrefixPolicy

app = typer.Typer(add_completion=False)


@command(app, epilog=shared.ENVIRONMENT)
def estimate(
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
    prompt: shared.Prompt = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            envvar="LLMBATCH_MODEL",
            show_envvar=False,
            rich_help_panel=shared.TASK,
            help=f"Model to ask; several are shown side by side. Default: the task's, else {defaults.MODEL}.",
        ),
    ] = None,
    prefix: shared.Prefix = PrefixPolicy.AUTO,
    reasoning: shared.Reasoning = False,
    temperature: shared.Temperature = None,
    reasoning_effort: shared.ReasoningEffort = None,
    max_output_tokens: shared.MaxOutputTokens = None,
    max_doc_tokens: shared.MaxDocTokens = None,
    truncate: shared.Truncate = None,
    confidence: shared.Confidence = ConfidenceKind.reported,
    out: shared.Out = None,
    sending: Annotated[
        SendingOptions, Only("service_tier", "base_url", "dialect", "offline", "concurrency", "rpm", "tpm")
    ],
    money: Annotated[MoneyOptions, Only("price")],
    review_below: shared.ReviewBelow = None,
    canary_prompt: experiments.CanaryPrompt = None,
    canary_model: experiments.CanaryModel = None,
    canary_share: experiments.CanaryShare = f"{defaults.CANARY_SHARE}%",
    canary_expand: experiments.CanaryExpand = False,
    escalate_to: experiments.EscalateTo = None,
    exact: Annotated[
        bool,
        typer.Option(
            "--exact",
            envvar="LLMBATCH_EXACT",
            show_envvar=False,
            rich_help_panel=shared.INPUT,
            help="Count every document's tokens; by default big inputs are sampled, with the margin told.",
        ),
    ] = False,
    json: shared.Json = False,
) -> None:
    """Tell what classify would cost and how long it would take. Nothing is sent; no key is needed."""
    from llmbatch.engine.plan import ModelChoice
    from llmbatch.estimate.estimate import EstimateOptions, estimate_run
    from llmbatch.estimate.result import estimate_json
    from llmbatch.runs.options import RunOptions
    from llmbatch.terminal import stdout_console
    from llmbatch.terminal.estimate import render_estimate

    run = RunOptions(
        inputs=tuple(inputs),
        out=out,
        task=prompt,
        choice=ModelChoice(
            None,
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
        review_below=review_below,
        canary=experiments.canary_options(canary_prompt, canary_model, canary_share, expand=canary_expand),
        escalate_to=escalate_to,
    )
    estimated = estimate_run(EstimateOptions(run, tuple(model or ()), exact))
    if json:
        print_json(estimate_json(estimated))
    else:
        render_estimate(estimated, stdout_console())
