"""`llmbatch classify`: the main job."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from llmbatch.cli import options as shared

_INPUT_HELP = "Documents: .jsonl, .ndjson, .csv, .tsv, each also .gz; folders, quoted globs, or - for standard input."


def classify(
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT...", help=_INPUT_HELP, show_default=False)],
    prompt: Annotated[
        str | None,
        typer.Option(
            "--prompt",
            "-p",
            envvar="LLMBATCH_PROMPT",
            help="Task file, or the name of a packaged one.",
            show_default="default",
        ),
    ] = None,
    model: shared.Model = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", envvar="LLMBATCH_OUT", help="Run folder.", show_default="INPUT.llmbatch"),
    ] = None,
    id_field: Annotated[
        str | None, typer.Option("--id-field", envvar="LLMBATCH_ID_FIELD", help="Field that names a row.")
    ] = None,
    text_field: Annotated[
        str | None,
        typer.Option(
            "--text-field",
            envvar="LLMBATCH_TEXT_FIELD",
            help="Field with the text; several are joined: title,body.",
        ),
    ] = None,
    keep: Annotated[
        str | None,
        typer.Option(
            "--keep",
            envvar="LLMBATCH_KEEP",
            help="Input fields carried into the results: a,b.",
            show_default="all but the text",
        ),
    ] = None,
    input_format: Annotated[
        str | None,
        typer.Option(
            "--input-format",
            envvar="LLMBATCH_INPUT_FORMAT",
            help="jsonl, csv or tsv, whatever the name says.",
        ),
    ] = None,
    strict: Annotated[
        bool,
        typer.Option("--strict", envvar="LLMBATCH_STRICT", help="End at the first row that cannot be read."),
    ] = False,
    review_below: Annotated[
        float | None,
        typer.Option(
            "--review-below",
            min=0,
            max=1,
            envvar="LLMBATCH_REVIEW_BELOW",
            help="Confidence under which a row goes to people.",
            show_default="0.5",
        ),
    ] = None,
    sample: Annotated[
        str,
        typer.Option(
            "--sample",
            metavar="P%|N",
            envvar="LLMBATCH_SAMPLE",
            help="Random sample of finished rows for a person.",
        ),
    ] = "0%",
    seed: Annotated[int, typer.Option("--seed", envvar="LLMBATCH_SEED", help="Draws another sample.")] = 0,
    reasoning: Annotated[
        bool, typer.Option("--reasoning", envvar="LLMBATCH_REASONING", help="Ask for a short rationale too.")
    ] = False,
    temperature: Annotated[
        float | None,
        typer.Option("--temperature", min=0, max=2, envvar="LLMBATCH_TEMPERATURE", help="Where the model takes one."),
    ] = None,
    reasoning_effort: Annotated[
        str | None,
        typer.Option(
            "--reasoning-effort",
            envvar="LLMBATCH_REASONING_EFFORT",
            help="For reasoning models.",
            show_default="the lowest",
        ),
    ] = None,
    max_output_tokens: Annotated[
        int | None,
        typer.Option(
            "--max-output-tokens",
            min=1,
            envvar="LLMBATCH_MAX_OUTPUT_TOKENS",
            help="Ceiling of an answer.",
            show_default="by the longest label",
        ),
    ] = None,
    base_url: shared.BaseUrl = None,
    api_version: shared.ApiVersion = None,
    offline: shared.Offline = False,
    fault: shared.Fault = None,
    concurrency: shared.Concurrency = 32,
    attempts: shared.Attempts = 4,
    timeout: shared.Timeout = 30.0,
    retry_wait_min: shared.RetryWaitMin = 5.0,
    retry_wait_max: shared.RetryWaitMax = 120.0,
    max_wait: shared.MaxWait = 600.0,
    reask: shared.Reask = 1,
    grace: shared.Grace = 20.0,
    price: shared.Price = None,
    max_failed: shared.MaxFailed = "0",
    salvage: shared.Salvage = False,
    json: shared.Json = False,
    quiet: shared.Quiet = False,
) -> None:
    """Label documents. Run it again to go on where it stood and to retry what failed."""
    from llmbatch.cli.show import present
    from llmbatch.pipeline.options import RunOptions, parse_tolerance
    from llmbatch.pipeline.plan import ModelChoice
    from llmbatch.pipeline.run import classify_run
    from llmbatch.readers import ReaderOptions
    from llmbatch.screen import make_screen
    from llmbatch.views import parse_sample

    options = RunOptions(
        inputs=tuple(inputs),
        out=out,
        task=prompt,
        choice=ModelChoice(model, temperature, reasoning_effort, max_output_tokens, reasoning),
        sending=shared.sending_options(
            base_url=base_url,
            api_version=api_version,
            offline=offline,
            faults=fault,
            concurrency=concurrency,
            attempts=attempts,
            timeout_s=timeout,
            retry_wait_min_s=retry_wait_min,
            retry_wait_max_s=retry_wait_max,
            max_wait_s=max_wait,
            reask=reask,
            grace_s=grace,
            price=price,
        ),
        reading=ReaderOptions(id_field, _names(text_field) or (), input_format),
        keep=_names(keep),
        strict=strict,
        review_below=review_below,
        sample=parse_sample(sample, seed),
        max_failed=parse_tolerance(max_failed),
        salvage=salvage,
        command=shlex.join(["llmbatch", *sys.argv[1:]]),
    )
    with make_screen(quiet=quiet) as screen:
        summary = classify_run(options, screen)
    present(summary, json=json, quiet=quiet)


def _names(value: str | None) -> tuple[str, ...] | None:
    return None if value is None else tuple(name.strip() for name in value.split(",") if name.strip())
