"""`llmbatch calibrate`: fit confidence to the share of answers that are right."""

from pathlib import Path
from typing import Annotated

import typer

from llmbatch.cli.command import command
from llmbatch.cli.options.gold import GOLD, GoldFieldOptions
from llmbatch.cli.options.option import Option
from llmbatch.cli.options.results import ResultOptions
from llmbatch.cli.options.run_folder import RunFolderOptions, RunPath
from llmbatch.cli.options.screen import Json
from llmbatch.cli.output import print_json

app = typer.Typer(add_completion=False)


@command(app)
def calibrate(
    run: RunPath,
    *,
    gold: Annotated[str, GOLD],
    gold_fields: GoldFieldOptions,
    method: Annotated[
        str,
        Option(
            "Method; auto picks the best on held-out rows.",
            metavar="auto|isotonic|platt",
            panel=ResultOptions.panel,
        ),
    ] = "auto",
    precision: Annotated[
        str | None,
        Option(
            "Also find each label's review threshold: the confidence from which its precision is shown to reach this.",
            metavar="P%",
            panel=ResultOptions.panel,
            variables=("LLMBATCH_CALIBRATE_PRECISION",),
        ),
    ] = None,
    out: Annotated[
        Path | None,
        Option(
            "Calibration file.",
            short="-o",
            metavar="FILE",
            shown_default="TASK.calibration.json",
            panel=ResultOptions.panel,
            variables=("LLMBATCH_CALIBRATE_OUT",),
        ),
    ] = None,
    json: Json = False,
    folder: RunFolderOptions,
) -> None:
    """Fit a confidence calibration, or the labels' review thresholds. Later runs use them."""
    from llmbatch.analysis.calibrate_run import calibrate_run
    from llmbatch.analysis.fit import calibrated_json, parse_method
    from llmbatch.analysis.thresholds import parse_precision
    from llmbatch.terminal import stdout_console
    from llmbatch.terminal.calibration import render_calibration

    given = folder.to_trust()
    calibrated = calibrate_run(
        run,
        gold_fields.to_gold(gold),
        method=parse_method(method),
        out=out,
        wanted=None if precision is None else parse_precision(precision),
        trust=given,
    )
    if json:
        print_json(calibrated_json(calibrated))
    else:
        render_calibration(calibrated, stdout_console())
