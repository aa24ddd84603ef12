"""A metrics file for the textfile collector of Prometheus' node exporter, since cron jobs end before they are scraped.

A new file is written and renamed into place, so that the collector never reads an incomplete one. It contains no
document text and can be read by every user, since the exporter runs as a user of its own.
"""

import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

from llmbatch.core.errors import ExitCode, LLMBatchError, Terminated, UsageError
from llmbatch.core.files import check_own, replacing
from llmbatch.core.latency import Latencies
from llmbatch.core.ledger_line import LedgerLine
from llmbatch.core.money import to_usd
from llmbatch.core.sanitize import neutral
from llmbatch.observe.observer import Observer, RunStarted
from llmbatch.observe.progress import Progress
from llmbatch.observe.summary import Summary
from llmbatch.telemetry.exposition import Family, Sample, exposition, gauge, gauges
from llmbatch.telemetry.figures import Figures

_EVERY_S = 15.0
_QUANTILES = (0.5, 0.95, 0.99)
_LAST_SUCCESS = "llmbatch_run_last_success_timestamp_seconds"


class MetricsFile(Observer):
    """Writes the session's figures every 15 seconds and at its end, whatever ends it."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        """Check that the file can be written.

        Raises:
            UsageError: its folder does not exist or cannot be written to, or the name belongs to something other than
                a file of the user.
        """
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise UsageError(f"--metrics-file {path}: its folder cannot be written to")
        check_own(path)
        self._path = path
        self._clock = clock
        self._figures = Figures()
        self._latencies = Latencies()
        self._run: RunStarted | None = None
        self._summary: Summary | None = None
        self._began_at = clock()
        self._exit_code: int | None = None
        self._last_success = _kept(path, _LAST_SUCCESS)
        self._next_s = 0.0

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write the last figures and the exit code."""
        if self._summary is not None:
            self._exit_code = self._summary.exit_code
        elif error is not None:
            self._exit_code = _exit_code(error)
        if self._exit_code == ExitCode.OK:
            self._last_success = self._clock()
        self._write()

    def started(self, run: RunStarted) -> None:
        """Keep the run's identity."""
        self._run = run

    def update(self, progress: Progress) -> None:
        """Keep the progress, and write the file when that is due."""
        self._figures.progress = progress
        if progress.elapsed_s >= self._next_s:
            self._next_s = progress.elapsed_s + _EVERY_S
            self._write()

    def row(self, line: LedgerLine) -> None:
        """Count a row."""
        self._figures.add(line)
        if line.source == "api":
            self._latencies.add(line.latency_s)

    def ended(self, summary: Summary) -> None:
        """Keep the final figures."""
        self._summary = summary

    def _write(self) -> None:
        with replacing(self._path, keep_mode=True) as file:
            file.write(exposition(self._families(), {"name": neutral(self._path.stem)}).encode())

    def _families(self) -> Iterator[Family]:
        figures, run = self._figures, self._run
        if run is not None:
            yield gauge(
                "llmbatch_run_info",
                "Which run this is.",
                1,
                run=run.run_id,
                folder=neutral(run.folder),
                task=run.task,
                model=run.model,
                prompt=run.prompt,
            )
        yield gauges("llmbatch_run_rows", "Rows of the input, where they are.", "status", self._rows())
        yield gauges("llmbatch_run_failures", "Rows that failed in this session.", "kind", self._failures())
        yield gauge("llmbatch_run_requests", "Requests of this session.", figures.usage.requests)
        yield gauges("llmbatch_run_tokens", "Tokens of this session.", "type", self._tokens())
        yield gauge("llmbatch_run_cost_usd", "Cost of this session's answers.", figures.cost_usd)
        at_most_usd = to_usd(figures.usage.possibly_billed_nanousd)
        yield gauge("llmbatch_run_possibly_billed_usd", "Most that may have been billed on top.", at_most_usd)
        yield gauges("llmbatch_run_retries", "Attempts that were repeated.", "reason", figures.retries)
        yield gauges("llmbatch_run_answers", "Answers, by how they could be read.", "parse", figures.answers)
        yield self._latency()
        yield gauge("llmbatch_run_start_timestamp_seconds", "When this session began.", self._began_at)
        yield gauge("llmbatch_run_duration_seconds", "How long it has taken.", self._clock() - self._began_at)
        yield gauge("llmbatch_run_under_way", "1 until this session has ended.", int(self._exit_code is None))
        yield gauge("llmbatch_run_exit_code", "Its exit code, once it has ended.", self._exit_code)
        yield gauge(_LAST_SUCCESS, "When a session last ended with exit code 0.", self._last_success)

    def _latency(self) -> Family:
        count = len(self._latencies)
        samples: list[Sample] = [("_sum", {}, self._figures.latency_s), ("_count", {}, count)]
        if count:
            samples = [("", {"quantile": f"{q:g}"}, self._latencies.quantile(q)) for q in _QUANTILES] + samples
        return Family("llmbatch_run_latency_seconds", "First send to outcome of a row.", tuple(samples), kind="summary")

    def _tokens(self) -> dict[str, int]:
        usage = self._figures.usage
        return {
            "input": usage.input_tokens,
            "cached_input": usage.cached_input_tokens,
            "output": usage.output_tokens,
            "reasoning": usage.reasoning_tokens,
        }

    def _rows(self) -> dict[str, int]:
        if self._summary is not None:
            rows = self._summary.rows
            return {"ok": rows.ok, "review": rows.review, "failed": rows.failed + rows.rejected, "undone": rows.undone}
        now = self._figures.progress
        rows_so_far = {"ok": now.done - now.review - now.failed, "review": now.review, "failed": now.failed}
        return rows_so_far if now.total is None else {**rows_so_far, "undone": now.total - now.done}

    def _failures(self) -> dict[str, int]:
        return {kind: count for (_, kind), count in self._figures.rows.items() if kind}


def _exit_code(error: BaseException) -> int:
    match error:
        case LLMBatchError() | Terminated():
            return int(error.exit_code)
        case _:
            return int(ExitCode.BUG)


def _kept(path: Path, name: str) -> float | None:
    """A figure of the existing file, which must survive a session without success."""
    try:
        found = re.search(rf"^{name}{{[^\n]*}} (\S+)$", path.read_text("utf-8"), re.MULTILINE)
        return None if found is None else float(found[1])
    except (OSError, ValueError):
        return None
