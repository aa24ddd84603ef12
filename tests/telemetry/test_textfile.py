"""The metrics file, as Prometheus' own client reads it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from llmbatch.core.errors import UsageError
from llmbatch.observe.progress import Progress
from llmbatch.telemetry.exposition import exposition, gauge
from llmbatch.telemetry.textfile import MetricsFile
from tests.e2e.program import REPOSITORY
from tests.telemetry.test_jsonlog import RUN
from tests.telemetry.test_otel import FAILED
from tests.terminal.test_screens import TROUBLED, summary

DOCUMENTED = (REPOSITORY / "docs" / "reference" / "observability.md").read_text()


def read(path: Path) -> dict[tuple[str, ...], float]:
    """Samples by name and label values."""
    families = list(text_string_to_metric_families(path.read_text()))
    return {
        (sample.name.removeprefix("llmbatch_run_"), *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def test_the_file_has_a_sessions_figures(tmp_path: Path) -> None:
    path = tmp_path / "nightly.prom"
    with MetricsFile(path, clock=lambda: 1_800_000_000.0) as metrics:
        metrics.started(RUN)
        metrics.row(FAILED)
        metrics.update(Progress(total=10, done=4, failed=1, elapsed_s=0.5))
        session_loop = read(path)
        metrics.ended(summary())
    assert (session_loop["rows", "nightly", "undone"], session_loop["under_way", "nightly"]) == (6, 1)
    assert ("exit_code", "nightly") not in session_loop
    found = read(path)
    assert found["rows", "nightly", "review"] == 10
    assert found["failures", "nightly", "invalid"] == 1
    assert found["retries", "nightly", "timeout"] == 1
    assert found["tokens", "nightly", "cached_input"] == 80
    assert found["cost_usd", "nightly"] == 0.000002
    assert found["latency_seconds_sum", "nightly"] == 31
    assert found["latency_seconds", "nightly", "0.5"] == pytest.approx(31, rel=0.1)
    assert found["last_success_timestamp_seconds", "nightly"] == 1_800_000_000
    assert (found["exit_code", "nightly"], found["under_way", "nightly"]) == (0, 0)
    assert ("info", "nightly", "5eed", "docs.llmbatch", "default", "gpt-6-luna", "3a60") in found
    assert path.stat().st_mode & 0o044, "readable by the exporter's own user"
    assert list(tmp_path.iterdir()) == [path]


def test_the_last_success_outlives_failures_of_every_kind(tmp_path: Path) -> None:
    path = tmp_path / "nightly.prom"
    with MetricsFile(path, clock=lambda: 1_000.0) as metrics:
        metrics.ended(summary())
    with MetricsFile(path, clock=lambda: 2_000.0) as metrics:
        metrics.ended(TROUBLED)
    with pytest.raises(UsageError), MetricsFile(path, clock=lambda: 3_000.0):
        raise UsageError("no such input")
    found = read(path)
    assert found["last_success_timestamp_seconds", "nightly"] == 1_000
    assert found["exit_code", "nightly"] == 2


def test_an_unknown_cost_is_not_reported_as_zero(tmp_path: Path) -> None:
    path = tmp_path / "x.prom"
    with MetricsFile(path) as metrics:
        metrics.row(replace(FAILED, cost_usd=None))
        metrics.row(FAILED)
    assert ("cost_usd", "x") not in read(path)


def test_the_file_is_written_at_intervals(tmp_path: Path) -> None:
    path = tmp_path / "nightly.prom"
    metrics = MetricsFile(path)
    written = []
    for n in range(160):
        metrics.update(Progress(done=n, elapsed_s=n / 4))
        written.append(read(path)["rows", "nightly", "ok"])
    assert sorted(set(written)) == [0, 60, 120]


def test_a_missing_folder_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        MetricsFile(tmp_path / "missing" / "x.prom")


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_is_escaped_as_a_label_value(text: str) -> None:
    written = exposition([gauge("x", "y", 1, a=text)], {"b": "c"})
    ((sample,),) = (family.samples for family in text_string_to_metric_families(written))
    assert sample.labels == {"b": "c", "a": text}


def test_every_metric_of_the_file_is_documented(tmp_path: Path) -> None:
    path = tmp_path / "x.prom"
    with MetricsFile(path) as metrics:
        metrics.started(RUN)
        metrics.row(FAILED)
        metrics.ended(summary())
    for family in text_string_to_metric_families(path.read_text()):
        assert f"`{family.name}`" in DOCUMENTED, family.name
        assert family.documentation
