"""`llmbatch compare`: which model, which prompt?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmbatch.cli import bounds
from llmbatch.cli.command import ENVIRONMENT, command
from llmbatch.cli.completion import models, tasks
from llmbatch.cli.options.gold import GOLD_PANEL, GoldFieldOptions
from llmbatch.cli.options.input import WHICH_ROWS, InputOptions
from llmbatch.cli.options.money import ConfirmationOptions, MoneyOptions
from llmbatch.cli.options.option import Except, Only, Option
from llmbatch.cli.options.results import ResultOptions
from llmbatch.cli.options.screen import ScreenOptions
from llmbatch.cli.options.sending import SendingOptions
from llmbatch.cli.options.task import TaskOptions
from llmbatch.core import defaults

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmbatch.runs.options import RunOptions

app = typer.Typer(add_completion=False)


@command(app, epilog=ENVIRONMENT)
def compare(
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT...", help="As in classify.", show_default=False)],
    *,
    model: Annotated[
        list[str] | None,
        Option(
            "Model to compare. Repeatable; the others are compared with the first.",
            brief="Model to compare. Repeatable.",
            short="-m",
            completer=models,
            shown_default=False,
            panel=TaskOptions.panel,
            variables=("LLMBATCH_COMPARE_MODEL",),
        ),
    ] = None,
    prompt: Annotated[
        list[str] | None,
        Option(
            "Task file to compare, or a packaged task; each model is run with each.",
            brief="Task to compare. Repeatable.",
            flags=("--task", "--prompt", "-p"),
            completer=tasks,
            shown_default=False,
            panel=TaskOptions.panel,
            variables=("LLMBATCH_COMPARE_PROMPT",),
            is_path=True,
        ),
    ] = None,
    rows_per_request: Annotated[
        list[int] | None,
        Option(
            "Rows that share a request, to compare with each alone. Repeatable, as 1 and 10.",
            min=1,
            max=defaults.MOST_ROWS_PER_REQUEST,
            shown_default="1",
            panel=SendingOptions.panel,
            variables=("LLMBATCH_COMPARE_ROWS_PER_REQUEST",),
        ),
    ] = None,
    rows: Annotated[
        int,
        Option(
            "Number of rows drawn at random; from those with gold labels if there are any.",
            brief="Number of rows drawn at random: 50.",
            short="-n",
            min=1,
            max=bounds.MOST_ROWS,
            panel=WHICH_ROWS,
            variables=("LLMBATCH_COMPARE_ROWS",),
        ),
    ] = 50,
    results: Annotated[ResultOptions, Only("seed")],
    gold: Annotated[
        str | None,
        Option(
            "Gold labels, as for evaluate, to see which variant is right where they differ.",
            brief="Gold labels, to see which variant is right.",
            short="-g",
            metavar="FILE",
            panel=GOLD_PANEL,
            is_path=True,
        ),
    ] = None,
    gold_fields: GoldFieldOptions,
    out: Annotated[
        Path | None,
        Option(
            "Folder of the comparison.",
            brief="Folder; without it INPUT.compare.llmbatch.",
            short="-o",
            shown_default="INPUT.compare.llmbatch",
            panel=ResultOptions.panel,
            variables=("LLMBATCH_COMPARE_OUT",),
        ),
    ] = None,
    reading: Annotated[InputOptions, Except("strict")],
    task: Annotated[TaskOptions, Only("reasoning", "confidence", "decisions")],
    sending: Annotated[SendingOptions, Except("rows_per_request", "max_packing_loss")],
    confirmation: ConfirmationOptions,
    money: MoneyOptions,
    screen: Annotated[ScreenOptions, Except("metrics_file", "otel", "observer")],
) -> None:
    """Compare models, prompts or packings on the same random rows."""
    from llmbatch.analysis.compare import CompareOptions, compare_runs
    from llmbatch.analysis.comparison import compared_json
    from llmbatch.cli.output import print_json
    from llmbatch.estimate.estimate import dear_runs
    from llmbatch.telemetry.watch import watch
    from llmbatch.terminal import stdout_console
    from llmbatch.terminal.comparison import render_comparison

    options = CompareOptions(
        inputs=tuple(inputs),
        models=tuple(model or ()),
        prompts=tuple(prompt or ()),
        rows_per_request=tuple(rows_per_request or ()),
        rows=rows,
        seed=results.seed,
        gold=None if gold is None else gold_fields.to_gold(gold),
        out=out,
        choice=task.to_choice(sending),
        decisions=task.decisions,
        sending=sending.to_sending(money),
        reading=reading.to_reader_options(),
    )

    def begin(runs: "Sequence[RunOptions]") -> None:
        confirmation.ask(lambda above_nanousd: dear_runs(runs, above_nanousd))

    compared = compare_runs(options, lambda: watch(screen.to_watch_options()), confirm=begin)
    if screen.json:
        print_json(compared_json(compared))
    else:
        render_comparison(compared, stdout_console())
    raise typer.Exit(compared.exit_code)
