"""Which observers a run gets."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from llmbatch.errors import UsageError
from llmbatch.events import Level, LogFormat
from llmbatch.files import append_private
from llmbatch.observer import Observer, Observers
from llmbatch.screen import make_screen
from llmbatch.screen.logfile import LogFile
from llmbatch.telemetry.jsonlog import JsonLog, JsonScreen

_JSON_SUFFIXES = frozenset({".json", ".jsonl", ".ndjson"})


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """How a run shows itself."""

    quiet: bool = False
    log_format: LogFormat = LogFormat.text
    log_file: Path | None = None
    """Appended to; as JSON where its name says so, else as `log_format`."""


def watch(options: WatchOptions) -> Observer:
    """The observers that the options ask for, as one; use it as a context.

    Raises:
        UsageError: one of them cannot be had.
    """
    return Observers([*_files(options), _screen(options)])


def _screen(options: WatchOptions) -> Observer:
    if options.log_format is LogFormat.json:
        return JsonScreen(sys.stderr, least=Level.ERROR if options.quiet else Level.INFO)
    return make_screen(quiet=options.quiet)


def _files(options: WatchOptions) -> list[Observer]:
    path = options.log_file
    if path is None:
        return []
    stream = _opened(path)
    as_json = path.suffix in _JSON_SUFFIXES or options.log_format is LogFormat.json
    return [JsonLog(stream) if as_json else LogFile(stream)]


def _opened(path: Path) -> TextIO:
    try:
        return append_private(path)
    except OSError as error:
        raise UsageError(f"--log-file {path}: cannot be written ({error.strerror})") from None
