"""OpenTelemetry: what is exported, under which names, and that a run never depends on the collector."""

import json
import logging
import re
import subprocess
import sys
import threading
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import Histogram, InMemoryMetricReader, Sum
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes, openai_attributes
from opentelemetry.semconv._incubating.metrics import gen_ai_metrics
from opentelemetry.semconv.attributes import error_attributes, http_attributes, server_attributes

from llmbatch.core.errors import UsageError
from llmbatch.core.ledger_line import LedgerLine, Retry, RowError
from llmbatch.observe.events import Event, ExportFailed, RunStopping
from llmbatch.observe.observer import Observers
from llmbatch.observe.progress import Progress
from llmbatch.telemetry import conventions
from llmbatch.telemetry.figures import Figures
from llmbatch.telemetry.meters import RunMetrics
from llmbatch.telemetry.otel import OpenTelemetry
from llmbatch.telemetry.watch import WatchOptions, watch
from tests.e2e.program import REPOSITORY
from tests.telemetry.test_jsonlog import RUN
from tests.terminal.test_screens import summary

DOCUMENTED = (REPOSITORY / "docs" / "reference" / "observability.md").read_text()
DASHBOARD = json.loads((REPOSITORY / "docs" / "grafana" / "llmbatch.json").read_text())
FAILED = LedgerLine(
    row=3,
    id="x",
    key="0" * 32,
    status="failed",
    prompt="p",
    model="m",
    started_at="2026-11-24T12:00:00.000000Z",
    response_model="m-1",
    attempts=2,
    retries=(Retry("timeout", None, None, 0.5, 30.0),),
    parse="invalid",
    input_tokens=100,
    cached_input_tokens=80,
    output_tokens=10,
    cost_usd=0.000002,
    possibly_billed_usd=0.000001,
    latency_s=31.0,
    error=RowError("invalid", None, "the text of a document"),
)


def unheard(event: Event) -> None:
    """Fail on any event."""
    pytest.fail(event.message)


def test_names_follow_the_semantic_conventions() -> None:
    used = {name: value for name, value in vars(conventions).items() if name.isupper() and "." in str(value)}
    published = {
        value
        for module in (
            gen_ai_attributes,
            gen_ai_metrics,
            openai_attributes,
            error_attributes,
            http_attributes,
            server_attributes,
        )
        for value in vars(module).values()
        if isinstance(value, str)
    }
    assert {value for value in used.values() if not value.startswith("llmbatch.")} <= published


def test_a_run_continues_and_ends_without_a_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.05")
    reported: list[Event] = []
    with OpenTelemetry(reported.append) as observer:
        observer.started(RUN)
        observer.row(FAILED)
        observer.event(RunStopping("row 3: the text of a document", 4))
        observer.ended(summary())
    assert [event.name for event in reported] == ["telemetry.export_failed"]


def test_a_retried_export_is_reported_with_the_reason_only_if_the_retry_fails() -> None:
    reported: list[Event] = []
    logger = logging.getLogger("opentelemetry.exporter")
    with OpenTelemetry(reported.append):
        logger.warning("Transient error %s, retrying", "Pool(port=4318): ([Errno 111] Connection refused)")
        assert reported == []
        logger.error("Failed to export spans batch due to timeout")
        logger.error("Failed to export spans batch due to timeout")
    assert reported == [ExportFailed("Connection refused")]


def test_the_end_of_a_run_waits_a_limited_time_for_a_hanging_collector() -> None:
    reported: list[Event] = []
    released = threading.Event()
    observer = OpenTelemetry(reported.append, {"OTEL_METRICS_EXPORTER": "none"}, flush_s=0.01)
    observer._span_exporter = lambda: _Hanging(released)
    with observer:
        observer.started(RUN)
    released.set()
    assert [event.name for event in reported] == ["telemetry.export_failed"]


@pytest.mark.parametrize(
    "variables",
    [{"OTEL_SDK_DISABLED": "true"}, {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"}],
)
def test_the_standard_variables_switch_it_off(variables: dict[str, str]) -> None:
    with OpenTelemetry(unheard, variables) as observer:
        observer.started(RUN)
        observer.row(FAILED)
        observer.ended(summary())
    assert observer._shutdowns == []


def test_a_missing_exporter_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="otlp_proto_grpc"):
        OpenTelemetry(unheard, {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"})


def test_without_the_extra_the_hint_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "llmbatch.telemetry.otel")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(UsageError) as error:
        watch(WatchOptions(otel=True))
    assert error.value.hint == "pip install 'llmbatch[otel]'"


def test_opentelemetry_is_not_imported_unless_enabled() -> None:
    program = (
        "import sys; from llmbatch.telemetry.watch import WatchOptions, watch; o = watch(WatchOptions(quiet=True));"
        "sys.exit('opentelemetry' in sys.modules or bool(o._on_row))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def sent() -> dict[str, tuple[Any, set[str]]]:
    """Every metric that a run can send, with all its attributes."""
    reader = InMemoryMetricReader()
    figures = Figures()
    figures.progress = Progress(total=10)
    metrics = RunMetrics(MeterProvider([reader], shutdown_on_exit=False).get_meter("t"), RUN, figures)
    figures.add(FAILED)
    metrics.row(FAILED)
    metrics.end(3)
    data = reader.get_metrics_data()
    assert data is not None
    (scope,) = data.resource_metrics[0].scope_metrics
    return {
        metric.name: (metric, {name for point in metric.data.data_points for name in point.attributes or {}})
        for metric in scope.metrics
    }


def in_prometheus(metric: Any) -> set[str]:
    """A metric's names in Prometheus, as its OTLP receiver converts dots and units."""
    name = metric.name.replace(".", "_") + ("_seconds" if metric.unit == "s" else "")
    if isinstance(metric.data, Histogram):
        return {f"{name}_{part}" for part in ("bucket", "sum", "count")}
    return {f"{name}_total"} if isinstance(metric.data, Sum) else {name}


def test_the_dashboard_queries_only_exported_metrics() -> None:
    attributes = {
        name: {attribute.replace(".", "_") for attribute in labels}
        for metric, labels in sent().values()
        for name in in_prometheus(metric)
    }
    queries = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    assert len(queries) >= len(DASHBOARD["panels"])
    asked: set[str] = set()
    for query in queries:
        for name in re.findall(r"\b(?:llmbatch|gen_ai_client)_\w+(?=[{\[])", query):
            asked.add(name)
            selected = set(re.findall(r"(\w+)=", " ".join(re.findall(rf"{name}{{(.*?)}}", query))))
            grouped = set(re.findall(r"by \((.*?)\)", query)) - {"le"}
            assert selected | grouped <= attributes[name], query
    assert asked <= set(attributes)
    unasked = set(attributes) - asked
    assert {name for name in unasked if not name.endswith(("_bucket", "_count", "_sum"))} == set()


def test_every_metric_is_documented_and_none_collides_in_prometheus() -> None:
    names = [name for metric, _ in sent().values() for name in in_prometheus(metric)]
    assert len(names) == len(set(names))
    for metric, labels in sent().values():
        (row,) = [line for line in DOCUMENTED.splitlines() if line.startswith(f"| `{metric.name}` ")]
        for label in labels - {"gen_ai.request.model", "llmbatch.task", *conventions.request_attributes(RUN)}:
            assert f"`{label}`" in row, label


def test_free_text_of_events_stays_out_of_traces() -> None:
    reported: list[Event] = []
    spans: list[Any] = []
    observer = OpenTelemetry(reported.append, {"OTEL_METRICS_EXPORTER": "none"})
    observer._span_exporter = lambda: _Keeping(spans)
    with Observers([observer]) as observers:
        observers.started(RUN)
        observers.event(RunStopping("row 3: the text of a document", 4))
    (span,) = spans
    assert [(event.name, dict(event.attributes)) for event in span.events] == [
        ("run.stopping", {"llmbatch.exit_code": 4})
    ]


class _Hanging:
    """An exporter that hangs."""

    def __init__(self, released: threading.Event) -> None:
        self._released = released

    def export(self, _: Any) -> None:
        self._released.wait()

    def shutdown(self) -> None:
        pass


class _Keeping:
    """An exporter that keeps its spans in memory."""

    def __init__(self, spans: list[Any]) -> None:
        self._spans = spans

    def export(self, spans: Any) -> None:
        self._spans += spans

    def shutdown(self) -> None:
        pass
