"""One observer interface, and no observer can break the run."""

import io
from pathlib import Path

import pytest

from llmbatch.core.ledger_line import LedgerLine
from llmbatch.observe.events import Event, LedgerTorn, ObserverFailed
from llmbatch.observe.observer import Observer, Observers
from llmbatch.telemetry.jsonlog import JsonLog

LINE = LedgerLine(
    row=0, id="a", key="0" * 32, status="ok", prompt="p", model="m", started_at="2026-11-24T12:00:00.000000Z"
)


class Recording(Observer):
    def __init__(self) -> None:
        self.rows: list[LedgerLine] = []
        self.events: list[Event] = []

    def row(self, line: LedgerLine) -> None:
        self.rows.append(line)

    def event(self, event: Event) -> None:
        self.events.append(event)


class Broken(Observer):
    def row(self, line: LedgerLine) -> None:  # noqa: ARG002
        raise OSError(28, "No space left on device")


def test_a_failing_observer_is_dropped_and_the_others_are_notified() -> None:
    recording = Recording()
    observers = Observers([Broken(), recording])
    observers.row(LINE)
    observers.row(LINE)
    assert recording.rows == [LINE, LINE]
    assert recording.events == [ObserverFailed("Broken", "OSError: [Errno 28] No space left on device")]


def test_a_full_disk_under_the_log_does_not_end_the_run() -> None:
    recording = Recording()
    full = io.TextIOWrapper(Path("/dev/full").open("wb", buffering=0), write_through=True)  # noqa: SIM115
    with Observers([JsonLog(full), recording]) as observers:
        observers.event(LedgerTorn("x"))
        observers.event(LedgerTorn("y"))
    assert [event.name for event in recording.events] == ["observer.failed", "ledger.torn", "ledger.torn"]


@pytest.mark.parametrize("watching", [[], [JsonLog(io.StringIO())]])
def test_rows_cost_nothing_if_no_observer_uses_them(watching: list[Observer]) -> None:
    assert Observers(watching)._on_row == []
