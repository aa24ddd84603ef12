"""The endpoint is down for a while: all rows wait, almost nothing is sent, and afterwards the run continues."""

from pathlib import Path
from typing import Any

from llmbatch.core.errors import ComeBackLater
from llmbatch.observe.events import OutageBegan
from tests.engine.simulated import documents, run_simulated
from tests.thorough import IS_TORTURE

LIMIT: dict[str, Any] = {"rpm": 1200, "latency_s": 0.3}
PER_S = 20


def test_an_outage_of_a_minute_loses_no_row_and_is_not_hammered(tmp_path: Path) -> None:
    run = run_simulated(tmp_path, documents(300), "overloaded@10s-70s", **LIMIT)
    assert (run.reason, len(run.lines), run.outcomes) == (None, 300, {"ok"})
    assert run.requests_between(10, 70) < 0.1 * 60 * PER_S
    assert run.ended_s < 70 + 300 / PER_S - 10 + 45, "it is back at full rate within a minute"


def test_broken_connections_count_as_an_outage(tmp_path: Path) -> None:
    run = run_simulated(tmp_path, documents(200), "reset@5s-65s", **LIMIT)
    assert (run.reason, len(run.lines)) == (None, 200)
    assert run.requests_between(5, 65) < 0.1 * 60 * PER_S


def test_a_period_in_which_every_request_is_refused_is_waited_out(tmp_path: Path) -> None:
    run = run_simulated(tmp_path, documents(300), "rate_limit_bare@5s-65s", **LIMIT)
    assert (run.reason, len(run.lines), run.outcomes) == (None, 300, {"ok"})


def test_an_outage_longer_than_the_maximum_wait_ends_the_run_and_keeps_its_results(tmp_path: Path) -> None:
    run = run_simulated(tmp_path, documents(300), "server_error@5s+", max_wait_s=600, **LIMIT)
    assert isinstance(run.reason, ComeBackLater)
    assert {line.status for line in run.lines if line.error is None} == {"ok"}
    assert 600 < run.ended_s < 660
    assert sum(run.by_second.values()) < 300


def test_after_hours_of_outage_a_patient_run_resumes_within_a_minute(tmp_path: Path) -> None:
    hours = (10 if IS_TORTURE else 2) * 3600
    run = run_simulated(tmp_path, documents(150), f"overloaded@5s-{hours}s", max_wait_s=2 * hours, **LIMIT)
    assert (run.reason, len(run.lines), run.outcomes) == (None, 150, {"ok"})
    assert run.requests_between(10, hours) < 0.01 * hours * PER_S
    assert run.ended_s < hours + 60 + 150 / PER_S


def test_a_row_that_only_gets_errors_fails_while_the_others_continue(tmp_path: Path) -> None:
    run = run_simulated(tmp_path, documents(100), "server_error=15%", **LIMIT)
    assert (run.reason, len(run.lines)) == (None, 100)
    assert not any(isinstance(event, OutageBegan) for event in run.events)
    assert all(line.attempts <= 4 for line in run.lines)
