"""`llmbatch compare`: which model, which prompt?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmbatch.cli import bounds, watching
from llmbatch.cli import gold as golden
from llmbatch.cli import input_options as reading
from llmbatch.cli import options as shared
from llmbatch.cli.command import command
from llmbatch.cli.options.money import ConfirmationOptions, MoneyOptions
from llmbatch.cli.options.sending import SendingOptions
from llmbatch.core.rows import ConfidenceKind
from llmbatch.telemetry.log_format import LogFormat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmbatch.runs.options import RunOptions

app = typer.Typer(add_completion=False)


@command(app, epilog=shared.ENVIRONMENT)
def compare(
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT...", help="As for classify.", show_default=False)],
    *,
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
    sending: SendingOptions,
    confirmation: ConfirmationOptions,
    money: MoneyOptions,
    json: shared.Json = False,
    quiet: shared.Quiet = False,
    log_format: watching.LogFormat = LogFormat.text,
    log_file: watching.LogFile = None,
) -> None:
    """Ask two or more models or prompts about the same random rows, and hold their answers side by side."""
    from llmbatch.analysis.compare import CompareOptions, compare_runs
    from llmbatch.analysis.comparison import compared_json
    from llmbatch.analysis.gold import GoldOptions
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
        choice=ModelChoice(
            reasoning=reasoning, confidence=confidence, service_tier=sending.service_tier, dialect=sending.dialect
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
    )
    watching_options = WatchOptions(quiet, log_format, log_file)

    def begin(runs: "Sequence[RunOptions]") -> None:
        confirmation.ask(lambda above_nusd: dear_runs(runs, above_nusd))

    compared = compare_runs(options, lambda: watch(watching_options), confirm=begin)
    if json:
        print_json(compared_json(compared))
    else:
        render_comparison(compared, stdout_console())
    raise typer.Exit(compared.exit_code)
