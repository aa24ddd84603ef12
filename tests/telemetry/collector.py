"""A real OpenTelemetry collector (rotel) that receives exports and forwards them to the test."""

import gzip
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

_NOT_LOADED = 127
"""The dynamic linker's exit code for a missing library."""


@dataclass
class Received:
    """The telemetry that the collector received and forwarded."""

    url: str
    spans: list[Span] = field(default_factory=list)
    metrics: dict[str, Metric] = field(default_factory=dict)
    """The last value of each metric, by name."""
    resource: dict[str, Any] = field(default_factory=dict)

    def wait_for(self, spans: int, metric: str) -> None:
        """Wait until `spans` spans and this metric have arrived."""
        deadline = time.monotonic() + 20
        while len(self.spans) < spans or metric not in self.metrics:
            assert time.monotonic() < deadline, (len(self.spans), sorted(self.metrics))
            time.sleep(0.01)


def plain(attributes: Any) -> dict[str, Any]:
    """Attributes as plain Python values."""
    return {pair.key: _plain(pair) for pair in attributes}


def _plain(pair: KeyValue) -> Any:
    kind = pair.value.WhichOneof("value")
    value = getattr(pair.value, kind or "string_value")
    return [item.string_value for item in value.values] if kind == "array_value" else value


@contextmanager
def collecting() -> Iterator[Received]:
    """Run a collector; skips the test if there is none for this platform."""
    found = find_spec("rotel")
    if found is None or found.origin is None:
        pytest.skip("no OpenTelemetry collector for this platform: rotel is not installed")
    program = Path(found.origin).with_name("rotel-agent")
    if subprocess.run([program, "--version"], capture_output=True, check=False).returncode == _NOT_LOADED:
        pytest.skip("rotel needs the shared library of this Python, which was built without one")
    received = Received("")
    sink = ThreadingHTTPServer(("127.0.0.1", 0), type("Into", (_Sink,), {"received": received}))
    Thread(target=sink.serve_forever, daemon=True).start()
    http, grpc = _free_port(), _free_port()
    received.url = f"http://127.0.0.1:{http}"
    options = {
        "--otlp-http-endpoint": f"127.0.0.1:{http}",
        "--otlp-grpc-endpoint": f"127.0.0.1:{grpc}",
        "--exporter": "otlp",
        "--otlp-exporter-endpoint": f"http://127.0.0.1:{sink.server_port}",
        "--otlp-exporter-protocol": "http",
        "--batch-timeout": "50ms",
    }
    command = [str(program), "start", *(part for option in options.items() for part in option)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_until_open(http, process)
        yield received
    finally:
        process.kill()
        process.wait()
        sink.shutdown()
        sink.server_close()


class _Sink(BaseHTTPRequestHandler):
    received: ClassVar[Received]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        if self.path == "/v1/traces":
            for spans in ExportTraceServiceRequest.FromString(body).resource_spans:
                self.received.resource = plain(spans.resource.attributes)
                self.received.spans += [span for scope in spans.scope_spans for span in scope.spans]
        elif self.path == "/v1/metrics":
            for metrics in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                for scope in metrics.scope_metrics:
                    self.received.metrics |= {metric.name: metric for metric in scope.metrics}
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _wait_until_open(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        else:
            return
