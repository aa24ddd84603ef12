"""What is shown and logged."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from llmbatch.cli.options.option import Option, OptionGroup
from llmbatch.telemetry.log_format import LogFormat

if TYPE_CHECKING:
    from llmbatch.telemetry.watch import WatchOptions


_PANEL = "Screen"

Json = Annotated[bool, Option("Print one JSON object.", brief=True, panel=_PANEL)]
Quiet = Annotated[bool, Option("Show only errors.", brief=True, short="-q", panel=_PANEL)]

Verbose = Annotated[bool, Option("Also show details, such as decisions about the prompt.", short="-v", panel=_PANEL)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenOptions(OptionGroup):
    """Output to the screen, to logs and to telemetry."""

    panel: ClassVar[str] = _PANEL

    json: Json = False
    quiet: Quiet = False
    verbose: Verbose = False
    log_format: Annotated[
        LogFormat,
        Option("json: events on standard error, one JSON object per line, instead of the display and the summary."),
    ] = LogFormat.text
    log_file: Annotated[
        Path | None,
        Option("Append the log to this file too; as JSON if its name ends in .jsonl."),
    ] = None
    metrics_file: Annotated[
        Path | None,
        Option("Write metrics for the textfile collector of Prometheus' node exporter: DIR/NAME.prom."),
    ] = None
    otel: Annotated[bool, Option("Send traces and metrics by OpenTelemetry, as the OTEL_* variables say.")] = False
    observer: Annotated[
        list[str] | None, Option("Plug-in that watches the run. Repeatable.", metavar="NAME", is_sensitive=True)
    ] = None

    def to_watch_options(self) -> "WatchOptions":
        """The options in the form that the observers take."""
        from llmbatch.telemetry.watch import WatchOptions

        return WatchOptions(
            self.quiet,
            self.verbose,
            self.log_format,
            self.log_file,
            self.metrics_file,
            otel=self.otel,
            observers=tuple(self.observer or ()),
        )
