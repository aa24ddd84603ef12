"""Which observers a run gets."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from llmbatch.core.errors import UsageError
from llmbatch.core.extras import extra
from llmbatch.observe.events import Event, Level
from llmbatch.observe.observer import Observer, Observers
from llmbatch.telemetry.jsonlog import JsonLog, JsonScreen
from llmbatch.telemetry.log_format import LogFormat
from llmbatch.telemetry.log_stream import open_log
from llmbatch.telemetry.plugged import plugged_observer
from llmbatch.telemetry.textfile import MetricsFile
from llmbatch.terminal import make_screen
from llmbatch.terminal.logfile import LogFile

_JSON_SUFFIXES = frozenset({".json", ".jsonl", ".ndjson"})


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """The observers of a run."""

    quiet: bool = False
    verbose: bool = False
    log_format: LogFormat = LogFormat.text
    log_file: Path | None = None
    """Appended to; as JSON if its name says so, otherwise as `log_format`."""
    metrics_file: Path | None = None
    otel: bool = False
    """Send traces and metrics as the `OTEL_*` variables say."""
    observers: tuple[str | Observer, ...] = ()
    """Others: plug-ins by name, or observers."""


def watch(options: WatchOptions) -> Observer:
    """The observers that the options ask for, as one; use it as a context.

    Raises:
        UsageError: one of them is not available.
    """
    seen = [*_files(options), _screen(options)]
    others = [plugged_observer(one) if isinstance(one, str) else one for one in options.observers]
    return Observers([*seen, *_telemetry(options, Observers(seen).event), *others])


def _screen(options: WatchOptions) -> Observer:
    if options.log_format is LogFormat.json:
        return JsonScreen(sys.stderr, least=Level.ERROR if options.quiet else Level.INFO)
    return make_screen(quiet=options.quiet, verbose=options.verbose)


def _files(options: WatchOptions) -> list[Observer]:
    path = options.log_file
    if path is None:
        return []
    stream = _opened(path)
    as_json = path.suffix in _JSON_SUFFIXES or options.log_format is LogFormat.json
    return [JsonLog(stream) if as_json else LogFile(stream)]


def _telemetry(options: WatchOptions, emit: Callable[[Event], None]) -> list[Observer]:
    observers: list[Observer] = []
    if options.metrics_file is not None:
        observers.append(MetricsFile(options.metrics_file))
    if not options.otel:
        return observers
    with extra("otel", needed_by="--otel"):
        from llmbatch.telemetry.otel import OpenTelemetry  # noqa: PLC0415 - heavy, and an extra
    return [*observers, OpenTelemetry(emit)]


def _opened(path: Path) -> TextIO:
    try:
        return open_log(path)
    except OSError as error:
        raise UsageError(f"--log-file {path}: cannot be written ({error.strerror})") from None
