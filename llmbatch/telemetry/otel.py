"""OpenTelemetry: a session's trace and metrics, sent as the standard `OTEL_*` variables say.

Needs the extra `otel`. Nothing global is changed, so a program that uses the Python API keeps its own set-up.
"""

import logging
import os
import re
import threading
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased

from llmbatch.core.errors import UsageError
from llmbatch.core.ledger_line import LedgerLine
from llmbatch.observe.events import Event, ExportFailed
from llmbatch.observe.observer import Observer, RunStarted
from llmbatch.observe.progress import Progress
from llmbatch.observe.summary import Summary
from llmbatch.telemetry import conventions as names
from llmbatch.telemetry.figures import Figures
from llmbatch.telemetry.meters import RunMetrics
from llmbatch.telemetry.sampling import row_sampling
from llmbatch.telemetry.traces import RunTrace

_LONGEST_REASON = 200
_PROTOCOLS = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}


class OpenTelemetry(Observer):
    """Observes a session for OpenTelemetry. Data is sent by the SDK's threads."""

    def __init__(
        self, emit: Callable[[Event], None], environment: Mapping[str, str] = os.environ, *, flush_s: float = 5.0
    ) -> None:
        """Read the variables.

        Args:
            emit: called with the event that nothing can be sent.
            environment: the process's variables. The SDK reads its own variables from the process.
            flush_s: how long the end of a run waits for unsent data.

        Raises:
            UsageError: the variables name something that is not available.
        """
        self._environment = environment
        self._sampling = row_sampling(environment)
        self._span_exporter = _exporter("traces", environment) if self._sampling is not None else None
        self._metric_exporter = _exporter("metrics", environment)
        self._failures = _Failures(emit)
        self._flush_s = flush_s
        self._figures = Figures()
        self._trace: RunTrace | None = None
        self._metrics: RunMetrics | None = None
        self._summary: Summary | None = None
        self._shutdowns: list[Callable[[], None]] = []

    def __enter__(self) -> Self:
        self._failures.listen()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Send the rest, within a time limit."""
        if self._trace is not None:
            self._trace.end(self._summary)
        sending = threading.Thread(target=self._shut_down, name="llmbatch-telemetry", daemon=True)
        sending.start()
        sending.join(self._flush_s)
        if sending.is_alive():
            self._failures.fail(f"the last of it was not accepted within {self._flush_s:g} s")
        self._failures.ignore()

    def started(self, run: RunStarted) -> None:
        """Set up the exporters that the variables name."""
        self._figures.review = run.review
        resource = _resource(run)
        if self._metric_exporter is not None:
            reader = PeriodicExportingMetricReader(self._metric_exporter())
            meters = MeterProvider([reader], resource, shutdown_on_exit=False)
            self._metrics = RunMetrics(meters.get_meter("llmbatch", run.llmbatch), run, self._figures)
            self._shutdowns.append(meters.shutdown)
        if self._span_exporter is not None and self._sampling is not None:
            tracers = TracerProvider(ParentBased(ALWAYS_ON), resource, shutdown_on_exit=False)
            tracers.add_span_processor(BatchSpanProcessor(self._span_exporter()))
            tracer = tracers.get_tracer("llmbatch", run.llmbatch)
            self._trace = RunTrace(tracer, run, self._sampling, self._environment)
            self._shutdowns.append(tracers.shutdown)

    def update(self, progress: Progress) -> None:
        """Keep it for the gauges."""
        self._figures.progress = progress

    def row(self, line: LedgerLine) -> None:
        """Measure a row, and trace it if it is sampled."""
        self._figures.add(line)
        if self._metrics is not None:
            self._metrics.row(line)
        if self._trace is not None:
            self._trace.row(line)

    def event(self, event: Event) -> None:
        """Add it to the session's span."""
        if self._trace is not None:
            self._trace.event(event)

    def ended(self, summary: Summary) -> None:
        """Keep it for the last metrics and the session's span."""
        self._summary = summary
        if self._metrics is not None:
            self._metrics.end(summary.exit_code)

    def _shut_down(self) -> None:
        for shut_down in self._shutdowns:
            shut_down()


class _Failures(logging.Handler):
    """Receives the SDK's log records about exports. The first final failure is reported; the rest is not shown."""

    def __init__(self, emit: Callable[[Event], None]) -> None:
        super().__init__(logging.WARNING)
        self._logger = logging.getLogger("opentelemetry")
        self._emit = emit
        self._cause = ""
        self.is_reported = False

    def listen(self) -> None:
        self._logger.addHandler(self)
        self._logger.propagate = False

    def ignore(self) -> None:
        self._logger.removeHandler(self)
        self._logger.propagate = True

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.ERROR:
            self.fail(record.getMessage())
        elif "error" in record.getMessage():  # the SDK retries; if that fails, this is the reason
            self._cause = record.getMessage()

    def fail(self, why: str) -> None:
        """Report a failure once, with its reason. The system's own words for it (`Connection refused`) are enough."""
        if not self.is_reported:
            self.is_reported = True
            cause = self._cause or why
            plain = re.search(r"\[Errno -?\d+\] ([\w ]+)", cause)
            self._emit(ExportFailed(plain[1] if plain else cause[:_LONGEST_REASON]))


def _exporter(signal: str, environment: Mapping[str, str]) -> Callable[[], Any] | None:
    """The exporter of `traces` or `metrics` that the standard variables name; None for none."""
    wanted = environment.get(f"OTEL_{signal.upper()}_EXPORTER", "").strip() or "otlp"
    if wanted == "none" or environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    if wanted == "otlp":
        protocol = (
            environment.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL")
            or environment.get("OTEL_EXPORTER_OTLP_PROTOCOL")
            or "http/protobuf"
        )
        wanted = _PROTOCOLS.get(protocol.strip(), protocol)
    found = entry_points(group=f"opentelemetry_{signal}_exporter", name=wanted)
    if not found:
        raise UsageError(
            f"OpenTelemetry's exporter {wanted!r} for {signal} is not installed",
            hint="install it, or say OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf, which comes with llmbatch[otel]",
        )
    exporter: Callable[[], Any] = next(iter(found)).load()
    return exporter


def _resource(run: RunStarted) -> Resource:
    """The sender: the service name from the variables, otherwise `llmbatch`.

    Each session is a separate instance, as the conventions require: its counters start at 0.
    """
    session = {SERVICE_VERSION: run.llmbatch, SERVICE_INSTANCE_ID: str(uuid4()), names.RUN_ID: run.run_id}
    resource = Resource.create(session)
    if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
        return resource.merge(Resource({SERVICE_NAME: "llmbatch"}))
    return resource
