"""A budget alert is reported once, and a command that fails does no harm."""

from pathlib import Path

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.observe.events import AlertCommandFailed, BudgetAlert, Event
from llmbatch.spend.alerts import AlertCommand, Alerts, Level, parse_percents

ALERT = BudgetAlert("--daily-budget", 80.0, 8_100_000_000, 10_000_000_000, "2026-11-25")


def test_each_share_is_reported_once() -> None:
    events: list[Event] = []
    alerts = Alerts((50.0, 80.0), emit=events.append, command=None)
    for spent in (10, 49, 50, 60, 79, 80, 81, 100):
        alerts.look(Level("--max-cost", spent, 100))
    assert [event.fields()["percent"] for event in events] == [50.0, 80.0]


def test_when_several_shares_are_passed_at_once_the_highest_is_reported() -> None:
    events: list[Event] = []
    Alerts((50.0, 80.0), emit=events.append, command=None).look(Level("--max-cost", 90, 100))
    (alert,) = events
    assert alert.message == "80% of --max-cost $1e-07 is used up: $9e-08 is spent or may be"


def test_shares_passed_in_an_earlier_session_are_not_reported_again() -> None:
    events: list[Event] = []
    alerts = Alerts((50.0, 80.0), emit=events.append, command=None)
    alerts.was_at(Level("--max-cost", 60, 100))
    alerts.look(Level("--max-cost", 70, 100))
    assert events == []


def test_of_many_processes_only_the_one_that_claims_a_share_reports_it() -> None:
    events: list[Event] = []
    alerts = Alerts((50.0,), emit=events.append, command=None)
    alerts.look(Level("--daily-budget", 60, 100, "2026-11-25"), claim=lambda _: False)
    assert events == []


@pytest.mark.parametrize("text", ["", "eighty", "0%", "101%", "80%,", "nan"])
def test_an_invalid_share_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--alert-at"):
        parse_percents(text)


def test_shares_are_read_with_and_without_a_percent_sign() -> None:
    assert parse_percents("80%, 50") == (50.0, 80.0)


def test_the_command_gets_its_values_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    events: list[Event] = []
    command = AlertCommand(f"env > {tmp_path / 'out'}", run_folder="/runs/$(id) `x`", emit=events.append)
    command.run(ALERT)
    command.wait()
    environment = dict(line.split("=", 1) for line in (tmp_path / "out").read_text().splitlines() if "=" in line)
    assert {name: value for name, value in environment.items() if name.startswith("LLMBATCH_ALERT")} == {
        "LLMBATCH_ALERT_BUDGET": "--daily-budget",
        "LLMBATCH_ALERT_PERCENT": "80.0",
        "LLMBATCH_ALERT_SPENT_USD": "8.1",
        "LLMBATCH_ALERT_CAP_USD": "10.0",
        "LLMBATCH_ALERT_DAY": "2026-11-25",
        "LLMBATCH_ALERT_RUN": "/runs/$(id) `x`",
    }
    assert "OPENAI_API_KEY" not in environment
    assert events == []


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("echo oops >&2; exit 3", "exit status 3: oops"),
        ("no-such-program-anywhere", "exit status 127"),
        ("sleep 60 & sleep 60", "did not end within 0.2 s and was killed"),
    ],
)
def test_a_command_that_fails_or_hangs_is_reported(line: str, why: str) -> None:
    events: list[Event] = []
    command = AlertCommand(line, run_folder="r", emit=events.append, timeout_s=0.2)
    command.run(ALERT)
    command.wait()
    (failed,) = events
    assert isinstance(failed, AlertCommandFailed)
    assert why in failed.message
    assert failed.message.endswith("the run continues")
