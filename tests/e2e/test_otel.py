"""A run as a real OpenTelemetry collector receives it."""

from pathlib import Path

import pytest

from llmbatch.engine.sending import Sending
from llmbatch.runs.options import RunOptions
from llmbatch.session.run import classify_run
from llmbatch.telemetry import conventions
from llmbatch.telemetry.otel import OpenTelemetry
from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import QUICK, documents, write_rows
from tests.telemetry.collector import collecting, plain
from tests.telemetry.test_otel import unheard


def test_a_real_collector_accepts_a_run(
    tmp_path: Path, endpoint: StartEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    docs = write_rows(tmp_path / "docs.jsonl", [*documents(8), {"id": "secret", "text": "Revenue of the SECRETCORP"}])
    server = endpoint("--fault", "rate_limit@3", "--fault", "refusal@6")
    with collecting() as received:
        for name, value in {**QUICK, "OTEL_EXPORTER_OTLP_ENDPOINT": received.url}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("TRACEPARENT", "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01")
        with OpenTelemetry(unheard) as observer:
            sending = Sending(base_url=server.url, concurrency=1)
            classify_run(RunOptions((str(docs),), sending=sending), observer)
        received.wait_for(spans=10, metric="llmbatch.exit_code")
    run = next(span for span in received.spans if span.name == "label default")
    rows = [span for span in received.spans if span.name == "chat gpt-6-luna"]
    assert {span.trace_id.hex() for span in received.spans} == {"0123456789abcdef0123456789abcdef"}
    assert {span.parent_span_id for span in rows} == {run.span_id}
    row_attributes = sorted(
        (plain(span.attributes) for span in rows), key=lambda attributes: int(attributes["llmbatch.row"])
    )
    assert [attributes["llmbatch.row"] for attributes in row_attributes] == list(range(9))
    assert {attributes["gen_ai.operation.name"] for attributes in row_attributes} == {"chat"}
    assert [a.get("error.type") for a in row_attributes].count("refusal") == 1
    (retried,) = [span for span in rows if span.events]
    assert (retried.events[0].name, plain(retried.events[0].attributes)["error.type"]) == ("retry", "rate_limit")
    assert retried.start_time_unix_nano <= retried.events[0].time_unix_nano <= retried.end_time_unix_nano
    assert plain(run.attributes)["llmbatch.rows.failed"] == 1
    (cost,) = received.metrics["llmbatch.cost"].sum.data_points
    assert cost.as_double == pytest.approx(sum(attributes["llmbatch.cost_usd"] for attributes in row_attributes))
    assert sum(point.count for point in received.metrics[conventions.DURATION].histogram.data_points) == 9
    resource = received.resource
    assert (resource["service.name"], len(resource["llmbatch.run.id"]), len(resource["service.instance.id"])) == (
        "llmbatch",
        16,
        36,
    )
    everything = str(received.spans) + str(received.metrics)
    assert "SECRETCORP" not in everything
    assert "secret" not in everything
