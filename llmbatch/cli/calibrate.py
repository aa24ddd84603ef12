"""`llmbatch calibrate`: make confidence mean what it says."""

from pathlib import Path
from typing import Annotated

import typer

from llmbatch.cli import gold as golden
from llmbatch.cli import options as shared
from llmbatch.cli.output import print_json

app = typer.Typer(add_completion=False)


@app.command()
def calibrate(
    run: shared.RunPath,
    gold: golden.GoldFile,
    gold_id_field: golden.GoldIdField = None,
    label_field: golden.LabelField = None,
    method: Annotated[
        str,
        typer.Option(
            "--method",
            metavar="auto|isotonic|platt",
            envvar="LLMBATCH_METHOD",
            show_envvar=False,
            rich_help_panel=shared.RESULTS,
            help="How to fit; auto takes what does best on held-out rows.",
        ),
    ] = "auto",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            envvar="LLMBATCH_CALIBRATE_OUT",
            show_envvar=False,
            rich_help_panel=shared.RESULTS,
            help="Calibration file.",
            show_default="TASK.calibration.json",
        ),
    ] = None,
    json: shared.Json = False,
    input: shared.NamedInput = None,  # noqa: A002 - the option's own name
    trust: shared.TrustRun = False,
) -> None:
    """Fit a calibration of confidence to a run's answers, and store it beside the task for later runs."""
    from llmbatch.analysis.calibrate_run import calibrate_run
    from llmbatch.analysis.fit import calibrated_json, parse_method
    from llmbatch.analysis.gold import GoldOptions
    from llmbatch.terminal import stdout_console
    from llmbatch.terminal.calibration import render_calibration

    given = shared.trusted(trust, input)
    calibrated = calibrate_run(
        run,
        GoldOptions(gold, gold_id_field, label_field),
        method=parse_method(method),
        out=out,
        trust=given,
    )
    if json:
        print_json(calibrated_json(calibrated))
    else:
        render_calibration(calibrated, stdout_console())
