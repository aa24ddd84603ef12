"""The options that say who watches a run: logs and telemetry."""

from pathlib import Path
from typing import Annotated

import typer

from llmbatch.cli.options import SCREEN
from llmbatch.telemetry.log_format import LogFormat as Format

LogFormat = Annotated[
    Format,
    typer.Option(
        "--log-format",
        envvar="LLMBATCH_LOG_FORMAT",
        show_envvar=False,
        rich_help_panel=SCREEN,
        help="json: events on standard error, one JSON object a line, in place of the display and the summary.",
    ),
]
LogFile = Annotated[
    Path | None,
    typer.Option(
        "--log-file",
        envvar="LLMBATCH_LOG_FILE",
        show_envvar=False,
        rich_help_panel=SCREEN,
        help="Append the log to this file too; as JSON where its name ends in .jsonl.",
    ),
]
MetricsFile = Annotated[
    Path | None,
    typer.Option(
        "--metrics-file",
        envvar="LLMBATCH_METRICS_FILE",
        show_envvar=False,
        rich_help_panel=SCREEN,
        help="Write figures for the textfile collector of Prometheus' node exporter: DIR/NAME.prom.",
    ),
]
Observer = Annotated[
    list[str] | None,
    typer.Option(
        "--observer",
        metavar="NAME",
        envvar="LLMBATCH_OBSERVER",
        show_envvar=False,
        rich_help_panel=SCREEN,
        help="Plug-in that watches the run. Repeatable.",
    ),
]
Otel = Annotated[
    bool,
    typer.Option(
        "--otel",
        envvar="LLMBATCH_OTEL",
        show_envvar=False,
        rich_help_panel=SCREEN,
        help="Send traces and metrics by OpenTelemetry, where the OTEL_* variables say.",
    ),
]
