"""The run's log for machines: one JSON object per line, with stable names."""

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TextIO

from llmbatch.core.errors import ExitCode, LLMBatchError
from llmbatch.core.filenames import readable_json
from llmbatch.observe.events import Event, Level
from llmbatch.observe.observer import Observer, RunStarted
from llmbatch.observe.progress import Heartbeat, Progress, progress_json
from llmbatch.observe.summary import Summary, summary_json


def _now() -> datetime:
    return datetime.now(UTC)


class JsonLog(Observer):
    """Writes events to a stream: `time`, `level`, `event`, `run` and `message` first, then the event's own fields.

    Everything outside ASCII is escaped, so that no document's text can control a terminal that shows the log.
    """

    def __init__(self, stream: TextIO, *, least: Level = Level.INFO, clock: Callable[[], datetime] = _now) -> None:
        self._stream = stream
        self._levels = tuple(Level)[tuple(Level).index(least) :]
        self._clock = clock
        self._heartbeat = Heartbeat()
        self._run_id: str | None = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Log the error that ended the run before its summary, and close the file."""
        self._log_error(error)
        self._stream.close()

    def started(self, run: RunStarted) -> None:
        """Log which run it is."""
        self._run_id = run.run_id
        fields = asdict(run)
        del fields["run_id"], fields["review"]
        self._write(Level.INFO, "run.started", f"{run.folder}: model {run.model}", fields)

    def update(self, progress: Progress) -> None:
        """Log the figures when a line is due."""
        if self._heartbeat.is_due(progress):
            self._write(Level.INFO, "run.progress", f"{progress.done} rows done", progress_json(progress))

    def event(self, event: Event) -> None:
        """Log what happened."""
        self._write(event.level, event.name, event.message, event.fields())

    def ended(self, summary: Summary) -> None:
        """Log the whole summary, as `--json` prints it."""
        match summary.exit_code:
            case ExitCode.OK:
                level = Level.INFO
            case ExitCode.ROWS_FAILED:
                level = Level.WARNING
            case _:
                level = Level.ERROR
        message = f"{summary.folder}: {summary.state}" + (f": {summary.reason}" if summary.reason else "")
        self._write(level, "run.ended", message, summary_json(summary))

    def _log_error(self, error: BaseException | None) -> None:
        if isinstance(error, LLMBatchError):
            fields = {"hint": error.hint, "exit_code": int(error.exit_code)}
            self._write(Level.ERROR, "run.error", error.message, fields)

    def _write(self, level: Level, name: str, message: str, fields: dict[str, Any]) -> None:
        if level not in self._levels:
            return
        line = {
            "time": f"{self._clock().isoformat(timespec='milliseconds').removesuffix('+00:00')}Z",
            "level": level,
            "event": name,
            "run": self._run_id,
            "message": message,
        }
        text = readable_json(json.dumps(line | fields, ensure_ascii=False))
        self._stream.write(json.dumps(json.loads(text)) + "\n")
        self._stream.flush()


class JsonScreen(JsonLog):
    """The log on standard error, instead of a screen."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Log the error that ended the run before its summary, which is then not printed as plain text."""
        self._log_error(error)
        if isinstance(error, LLMBatchError):
            error.is_reported = True
