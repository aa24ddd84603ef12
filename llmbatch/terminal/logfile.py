"""The run's log for people, in a file: the lines of a plain screen, and the start and end of each session."""

from types import TracebackType

from llmbatch.core.errors import LLMBatchError
from llmbatch.core.plurals import counted
from llmbatch.core.sanitize import neutral
from llmbatch.observe.events import Event
from llmbatch.observe.observer import RunStarted
from llmbatch.observe.summary import Summary
from llmbatch.terminal.figures import dollars, duration
from llmbatch.terminal.lines import LineScreen


class LogFile(LineScreen):
    """Runs in addition to another screen, so it also writes what the user sees there: the summary, an error."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Log the error that ended the run before its summary, and close the file."""
        if isinstance(error, LLMBatchError):
            self._write(f"error: {neutral(error.message)}")
        self._stream.close()

    def started(self, run: RunStarted) -> None:
        """Log which run it is."""
        self._write(neutral(f"run {run.run_id} in {run.folder}: model {run.model}, task {run.task}"))

    def event(self, event: Event) -> None:
        """Write what happened, dated, without documents' texts: a log is passed on more often than a screen."""
        self._emit(event, event.message)

    def ended(self, summary: Summary) -> None:
        """Write the run's last line."""
        rows, session = summary.rows, summary.session
        reason = f": {summary.reason}" if summary.reason else ""
        self._write(
            neutral(
                f"{summary.state}, exit code {summary.exit_code}{reason}; {counted(rows.total, 'row')}: "
                f"{rows.ok:,} labelled, {rows.review:,} in review, {rows.failed + rows.rejected:,} failed, "
                f"{rows.undone:,} pending; cost {dollars(summary.spent.cost_nanousd)} in all sessions; "
                f"{duration(session.elapsed_s)}"
            )
        )
