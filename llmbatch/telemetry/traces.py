"""A trace of a session: its own span, and one for each sampled row, with the repeated attempts as events.

Spans of rows are created from ledger lines, afterwards and with the row's own times, so sending is not slowed down.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from llmbatch.core.errors import ExitCode
from llmbatch.core.ledger_line import FAILED, LedgerLine, Retry
from llmbatch.core.money import to_usd
from llmbatch.observe.events import Event
from llmbatch.observe.observer import RunStarted
from llmbatch.observe.summary import Summary
from llmbatch.telemetry import conventions as names
from llmbatch.telemetry.sampling import RowSampling

_NS = 1_000_000_000
_WORDS = frozenset({"kind", "signal"})
"""Fields of events whose words are llmbatch's own. Other texts may quote a document and are left out."""


class RunTrace:
    """Records one session."""

    def __init__(self, tracer: Tracer, run: RunStarted, sampling: RowSampling, environment: Mapping[str, str]) -> None:
        """`environment`: its TRACEPARENT makes the run a part of the trace that started it, such as a CI job's."""
        self._tracer = tracer
        self._sampling = sampling
        self._review = run.review
        self._shared = names.request_attributes(run)
        self._name = f"{names.CHAT} {run.model}"
        attributes: dict[str, str | bool] = {
            names.REQUEST_MODEL: run.model,
            names.RUN_ID: run.run_id,
            names.TASK: run.task,
            "llmbatch.prompt": run.prompt,
            "llmbatch.offline": run.offline,
        }
        self._span: Span = tracer.start_span(f"label {run.task}", _parent(environment), attributes=attributes)
        self._inside = trace.set_span_in_context(self._span)

    def row(self, line: LedgerLine) -> None:
        """Record a row, if it is sampled. Rows of batches have no call of their own."""
        if line.source != "api" or not self._sampling.takes(line):
            return
        began_ns = round(datetime.fromisoformat(line.started_at).timestamp() * _NS)
        span = self._tracer.start_span(
            self._name, self._inside, SpanKind.CLIENT, self._attributes(line), start_time=began_ns
        )
        for retry in line.retries:
            span.add_event("retry", _retry_attributes(retry), began_ns + round(retry.after_s * _NS))
        if line.status == FAILED and line.error is not None:
            span.set_status(Status(StatusCode.ERROR, line.error.kind))
        span.end(began_ns + round(line.latency_s * _NS))

    def event(self, event: Event) -> None:
        """Add an event to the session's span: its name, figures and kinds."""
        fields = {
            f"llmbatch.{name}": value
            for name, value in event.fields().items()
            if isinstance(value, int | float) or (name in _WORDS and isinstance(value, str))
        }
        self._span.add_event(event.name, fields)

    def end(self, summary: Summary | None) -> None:
        """Close the session's span; without a summary, the session failed."""
        if summary is not None:
            rows = summary.rows
            self._span.set_attributes(
                {
                    "llmbatch.state": summary.state,
                    "llmbatch.exit_code": summary.exit_code,
                    "llmbatch.rows.total": rows.total,
                    "llmbatch.rows.ok": rows.ok,
                    "llmbatch.rows.review": rows.review,
                    "llmbatch.rows.failed": rows.failed + rows.rejected,
                    "llmbatch.rows.undone": rows.undone,
                }
            )
        if summary is None or summary.exit_code not in (ExitCode.OK, ExitCode.ROWS_FAILED):
            self._span.set_status(Status(StatusCode.ERROR, "no summary" if summary is None else summary.state))
        self._span.end()

    def _attributes(self, line: LedgerLine) -> dict[str, Any]:
        attributes: dict[str, Any] = {
            **self._shared,
            names.INPUT_TOKENS: line.input_tokens,
            names.OUTPUT_TOKENS: line.output_tokens,
            names.REASONING_TOKENS: line.reasoning_tokens,
            "llmbatch.row": line.row,
            "llmbatch.key": line.key,
            names.STATUS: self._review.status(line),
            "llmbatch.attempts": line.attempts,
            "llmbatch.arm": line.arm,
        }
        optional = {
            names.CACHED_TOKENS: None if line.cache_unreported_tokens else line.cached_input_tokens,
            names.RESPONSE_MODEL: line.response_model,
            names.SERVICE_TIER: line.service_tier,
            names.FINISH_REASONS: (line.finish_reason,) if line.finish_reason else None,
            names.ERROR_TYPE: line.error.kind if line.error else None,
            names.PARSE: line.parse,
            "llmbatch.category": line.category,
            "llmbatch.confidence": line.confidence,
            "llmbatch.cost_usd": None if line.cost_nanousd is None else to_usd(line.cost_nanousd),
        }
        return attributes | {name: value for name, value in optional.items() if value is not None}


def _retry_attributes(retry: Retry) -> dict[str, str | int | float]:
    attributes: dict[str, str | int | float] = {names.ERROR_TYPE: retry.error, "llmbatch.waited_s": retry.waited_s}
    return attributes if retry.status is None else attributes | {names.STATUS_CODE: retry.status}


def _parent(environment: Mapping[str, str]) -> Context:
    carrier = {name: environment.get(name.upper(), "") for name in ("traceparent", "tracestate")}
    return TraceContextTextMapPropagator().extract(carrier)
