"""The JSON log: one object per line, stable names, the run's id in each."""

import io
import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import fields

from llmbatch.core.errors import UsageError
from llmbatch.core.review_rule import ReviewRule
from llmbatch.observe import events
from llmbatch.observe.events import Event, FieldsChosen, LedgerTorn, Level, PossiblyBilledFound, RowRejected
from llmbatch.observe.observer import RunStarted
from llmbatch.observe.progress import Progress
from llmbatch.telemetry.jsonlog import JsonLog, JsonScreen
from tests.e2e.program import REPOSITORY

NOON = datetime(2026, 11, 24, 12, 0, 0, 250_000, tzinfo=UTC)
RUN = RunStarted(
    "5eed",
    "docs.llmbatch",
    "gpt-6-luna",
    "default",
    "3a60",
    "https://h/v1",
    offline=False,
    llmbatch="1",
    review_below=0.5,
    review=ReviewRule(0.5),
)
KINDS: list[type[Event]] = [
    kind for kind in vars(events).values() if isinstance(kind, type) and Event in kind.__bases__
]
DOCUMENTED = (REPOSITORY / "docs" / "reference" / "observability.md").read_text()


def logged(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_has_time_event_and_run() -> None:
    stream = io.StringIO()
    log = JsonLog(stream, clock=lambda: NOON)
    log.started(RUN)
    log.event(PossiblyBilledFound(3, 1_500_000))
    _, line = logged(stream)
    assert list(line)[:5] == ["time", "level", "event", "run", "message"]
    assert line["time"] == "2026-11-24T12:00:00.250Z"
    assert (line["level"], line["event"], line["run"]) == ("warning", "requests.possibly_billed", "5eed")
    assert (line["requests"], line["at_most_usd"]) == (3, 0.0015)


def test_progress_is_logged_after_one_second_and_then_every_ten() -> None:
    stream = io.StringIO()
    log = JsonLog(stream)
    for n in range(61):
        log.update(Progress(total=100, done=n, cost_nanousd=2_000_000, elapsed_s=n / 2))
    assert [line["done"] for line in logged(stream)] == [2, 22, 42]
    assert logged(stream)[0]["cost_usd"] == 0.002


def test_a_quiet_log_has_errors_only() -> None:
    stream = io.StringIO()
    log = JsonScreen(stream, least=Level.ERROR)
    log.started(RUN)
    log.event(LedgerTorn("x"))
    error = UsageError("no such file", hint="name one")
    log.__exit__(UsageError, error, None)
    (line,) = logged(stream)
    assert (line["event"], line["hint"], line["exit_code"]) == ("run.error", "name one", 2)
    assert error.is_reported


@given(st.text())
def test_hostile_text_stays_one_line_without_terminal_codes(text: str) -> None:
    stream = io.StringIO()
    JsonLog(stream).event(FieldsChosen(text, (text,), text))
    (line,) = stream.getvalue().splitlines()
    assert line.isascii()
    assert "\x1b" not in line
    assert json.loads(line)["file"] == text


def test_every_event_is_documented_with_its_fields() -> None:
    lines = DOCUMENTED.splitlines()
    for kind in KINDS:
        rows = [line for line in lines if line.startswith(f"| `{kind.name}` ")]
        assert len(rows) == 1, kind.name
        for field in fields(kind):
            assert f"`{field.name.replace('nanousd', 'usd')}`" in rows[0], (kind.name, field.name)


def test_no_two_events_share_a_name() -> None:
    names = [kind.name for kind in KINDS]
    assert len(names) == len(set(names))


def test_a_field_value_is_never_used_as_a_format() -> None:
    event = RowRejected("{kind}", 3, "bad_json", "has {0.__class__} in it {why!r}")
    assert event.message == "{kind}:3: rejected, has {0.__class__} in it {why!r} (bad_json)"
