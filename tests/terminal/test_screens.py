"""The display while a run is in progress, and its summary."""

import io
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text
from syrupy.assertion import SnapshotAssertion

from llmbatch.core.usage import UsageTotals
from llmbatch.observe.events import FieldsChosen, LedgerTorn, PrefixPlanned
from llmbatch.observe.progress import Progress
from llmbatch.observe.summary import RowCounts, Session, Summary, summary_json
from llmbatch.terminal.figures import Waits
from llmbatch.terminal.lines import LineScreen
from llmbatch.terminal.live import LiveScreen
from llmbatch.terminal.summary import render_summary
from llmbatch.terminal.tables import Column, fitted
from tests.e2e.conftest import llmbatch
from tests.e2e.program import Program, documents, write_rows
from tests.terminal.screens import left_by, on_a_terminal

__all__ = ["llmbatch"]

NOON = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
IN_PROGRESS = Progress(
    total=7600,
    done=1200,
    skipped=0,
    failed=3,
    review=41,
    retries=12,
    in_flight=32,
    waiting=2,
    input_tokens=100_000,
    cached_input_tokens=87_000,
    cost_nanousd=12_345_678,
    elapsed_s=10.0,
)


def summary(**changes: Any) -> Summary:
    fields: dict[str, Any] = {
        "folder": "docs.llmbatch",
        "state": "finished",
        "exit_code": 0,
        "reason": None,
        "model": "gpt-6-luna",
        "answered_by": {"gpt-6-luna": 60},
        "endpoint": "https://api.openai.com/v1",
        "offline": False,
        "task": "default",
        "prompt": "3a6075f59f55",
        "prefix_tokens": 1605,
        "rows": RowCounts(total=60, ok=50, review=10),
        "labels": {"technical": 19, "business": 9, "legal": 10, "marketing": 13, "other": 9},
        "spent": UsageTotals(60, 60, 99_633, 90_624, 1536, 660, 0, 2_175_540, labelled=60),
        "session": Session(answered=60, requests=60, elapsed_s=1.5, cost_nanousd=2_175_540),
        "parse": {"clean": 60},
        "files": {name: f"docs.llmbatch/{name}.jsonl" for name in ("results", "review", "failed", "ledger")},
    }
    return Summary(**{**fields, **changes})


TROUBLED = summary(
    state="stopped",
    exit_code=4,
    reason="quota (HTTP 429): You exceeded your current quota, please check your plan and billing details.",
    rows=RowCounts(total=7600, ok=4000, review=120, failed=30, rejected=4, undone=3446),
    labels={f"label_{n:02}": 100 - n for n in range(30)} | {"never": 0},
    spent=UsageTotals(4120, 4300, 9_000_000, 8_100_000, 0, 60_000, 12_000, 0, 4120, 5_000_000, 17),
    session=Session(answered=2000, reused=40, skipped=2150, requests=2300, elapsed_s=600.0),
    retries={"rate_limit": 120, "timeout": 17},
    failures={"invalid": 20, "too_long": 10, "bad_json": 4},
    parse={"clean": 4090, "repaired": 30, "invalid": 20},
    notes=("The price of my-model is unknown: set it with --price INPUT,CACHED,OUTPUT, in USD per million.",),
    next_commands=("llmbatch classify docs.jsonl", "llmbatch retry docs.llmbatch"),
)


def rendered(shown: Summary, width: int = 80, *, terminal: bool = False) -> str:
    stream = io.StringIO()
    console = Console(
        file=stream, width=width, markup=False, emoji=False, highlight=False, force_terminal=terminal, color_system=None
    )
    render_summary(shown, console)
    return stream.getvalue()


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("shown", [summary(), TROUBLED], ids=["flawless", "troubled"])
def test_a_summary(shown: Summary, width: int, snapshot: SnapshotAssertion) -> None:
    assert rendered(shown, width) == snapshot


def test_a_flawless_run_fits_on_one_screen() -> None:
    assert rendered(summary()).count("\n") <= 24


def test_one_labelled_row_is_shown_as_100_percent() -> None:
    shown = rendered(summary(rows=RowCounts(total=1, ok=1), labels={"a": 1}))
    assert "labelled  1  100%" in shown


def test_an_ascii_terminal_gets_ascii_bars() -> None:
    written = io.BytesIO()
    stream = io.TextIOWrapper(written, encoding="ascii", errors="backslashreplace")
    render_summary(summary(), Console(file=stream, width=80, markup=False, color_system=None))
    stream.flush()
    assert b"####" in written.getvalue()
    assert b"\\u" not in written.getvalue()


def test_an_unknown_price_is_never_zero() -> None:
    shown = rendered(TROUBLED)
    assert "unknown" in shown
    assert "$0 " not in shown


def test_the_json_has_no_figure_that_the_summary_lacks(snapshot: SnapshotAssertion) -> None:
    assert summary_json(TROUBLED) == snapshot


@given(st.text(), st.text(), st.text())
def test_hostile_text_breaks_no_summary_and_writes_no_escape(label: str, reason: str, note: str) -> None:
    shown = summary(labels={label: 3}, reason=reason, notes=(note,), folder=label, model=note, retries={label: 1})
    assert "\x1b" not in rendered(shown)


def lines_of(*progress: Progress, torn: str | None = None) -> list[str]:
    stream = io.StringIO()
    with LineScreen(stream, clock=lambda: NOON) as screen:
        for state in progress:
            screen.update(state)
        if torn is not None:
            screen.event(LedgerTorn(torn))
    return stream.getvalue().splitlines()


def test_a_line_says_how_far_and_how_dear(snapshot: SnapshotAssertion) -> None:
    assert lines_of(IN_PROGRESS) == snapshot


def test_lines_come_every_ten_seconds_and_at_the_end() -> None:
    states = [Progress(total=100, done=n, elapsed_s=n / 2) for n in range(61)]
    assert [line.split()[1] for line in lines_of(*states)] == ["2/100", "22/100", "42/100", "60/100"]


def test_a_short_run_writes_no_line() -> None:
    assert lines_of(Progress(total=3, done=3, elapsed_s=0.4)) == []


def test_a_warning_is_one_harmless_line() -> None:
    (line,) = lines_of(torn="bad\n\x1b[31m")
    assert line.startswith("2026-11-24T12:00:00Z warning: ")
    assert line.endswith("moved to bad \ufffd[31m")


@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_live_display_fits_its_terminal(width: int) -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=width, force_terminal=True, color_system=None, markup=False)
    with LiveScreen(console) as screen:
        screen.update(IN_PROGRESS)
        screen.event(FieldsChosen("[/foo] \x1b[31m", ("text",), None))
    with console.capture() as captured:
        console.print(screen._display)
    shown = captured.get().splitlines()
    assert len(shown) == 2
    assert all(len(line) <= width for line in shown)
    assert "cost $0.0123" in shown[1]
    assert "\x1b[31m" not in stream.getvalue()
    assert "[/foo]" in stream.getvalue()


@pytest.fixture
def frequent_thread_switches() -> Iterator[None]:
    """Make threads switch after few instructions, so that races show."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("frequent_thread_switches")
def test_messages_from_other_threads_leave_no_line_of_the_display_behind() -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=200, height=24, force_terminal=True, color_system=None)
    with LiveScreen(console) as screen, ThreadPoolExecutor(1) as other:
        messages = other.map(screen.event, [FieldsChosen(f"document {n}", ("text",), None) for n in range(200)])
        for _ in range(200):
            screen.update(IN_PROGRESS)
            screen.update(LIMITED)
        list(messages)
    left = left_by(stream.getvalue(), 200)
    assert [line for line in left if "document" not in line and line] == []
    assert sum("document" in line for line in left) == 200


LIMITED = Progress(total=500, done=30, limited_by="500 requests/min, stated by the endpoint", elapsed_s=3.0)


def test_the_live_display_shows_the_limit_on_80_columns() -> None:
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None)
    screen = LiveScreen(console)
    screen.update(LIMITED)
    with console.capture() as captured:
        console.print(screen._display)
    assert captured.get().splitlines()[2] == "limited by: 500 requests/min, stated by the endpoint"


def test_plain_lines_show_the_limit() -> None:
    stream = io.StringIO()
    with LineScreen(stream, clock=lambda: NOON) as screen:
        screen.update(LIMITED)
    assert stream.getvalue().endswith("(limited by: 500 requests/min, stated by the endpoint)\n")


def test_the_live_display_says_that_all_rows_wait() -> None:
    console = Console(file=io.StringIO(), width=100, force_terminal=True, color_system=None)
    screen = LiveScreen(console)
    screen.update(Progress(total=None, done=3, held_s=12.0, elapsed_s=3.0))
    with console.capture() as captured:
        console.print(screen._display)
    assert "paused by the server, next try in 12s" in captured.get()
    assert "3 rows" in captured.get()


def displayed(progress: Progress, width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    screen = LiveScreen(console)
    screen.update(progress)
    with console.capture() as captured:
        console.print(screen._display)
    return [line.rstrip() for line in captured.get().splitlines()]


OUTAGE = Progress(total=60, done=8, retries=9, outage_s=65.0, outage_kind="overloaded", next_try_s=12.0, elapsed_s=9.0)
SCREENS = {
    "start": Progress(),
    "resume": Progress(total=60, done=40, skipped=40, elapsed_s=0.3),
    "resume, not counted yet": Progress(done=40, skipped=40),
    "outage": OUTAGE,
    "probe": Progress(total=60, done=8, outage_s=65.0, outage_kind="timeout", in_flight=1, elapsed_s=9.0),
    "hold": Progress(total=60, done=8, held_s=20.0, elapsed_s=9.0),
    "back-off": Progress(total=60, done=8, waiting=3, retry_kind="timeout", next_try_s=4.0, elapsed_s=9.0),
}


@pytest.mark.parametrize("width", [80, 100])
@pytest.mark.parametrize("name", SCREENS)
def test_what_is_waited_for_is_on_the_display(name: str, width: int, snapshot: SnapshotAssertion) -> None:
    shown = displayed(SCREENS[name], width)
    assert max(map(len, shown)) <= width
    assert shown == snapshot


def test_a_wait_says_how_long_it_has_lasted() -> None:
    waits = Waits()
    for second in range(9, 25):
        waits.add(replace(SCREENS["hold"], waiting=3, next_try_s=2.0, elapsed_s=second))
    assert waits.shown == [
        "3 rows backing off for 15s, next try in 2.0s",
        "paused by the server for 15s, next try in 20s",
    ]
    waits.add(Progress(total=60, done=9, elapsed_s=26.0))
    waits.add(replace(SCREENS["hold"], elapsed_s=27.0))
    assert waits.shown == ["paused by the server, next try in 20s"]


def test_commands_and_paths_to_copy_are_on_one_line() -> None:
    command = f"llmbatch classify docs.jsonl --out {'a-long-folder-' * 9}"
    shown = rendered(summary(next_commands=(command,), files={"results": f"{'f' * 90}/results.jsonl"})).splitlines()
    assert f"  next      {command}" in shown
    assert f"  results  {'f' * 90}/results.jsonl" in shown


def test_the_to_do_comes_before_the_next_command() -> None:
    shown = rendered(summary(to_do="raise the limit", next_commands=("llmbatch show docs.llmbatch",))).splitlines()
    assert shown[-2:] == ["  to do     raise the limit", "  next      llmbatch show docs.llmbatch"]


def test_plain_lines_show_waits_but_nothing_before_the_first_figures() -> None:
    (line,) = lines_of(Progress(elapsed_s=3.0), OUTAGE)
    assert line.endswith("(endpoint down (overloaded) for 1m05s, next try in 12s)")


def test_prompt_details_are_shown_only_if_verbose() -> None:
    planned = PrefixPlanned(1576, 1576, 0, "cached from row 2")
    shown = []
    for verbose in (False, True):
        stream = io.StringIO()
        LineScreen(stream, clock=lambda: NOON, verbose=verbose).event(planned)
        console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None)
        LiveScreen(console, verbose=verbose).event(planned)
        shown += [stream.getvalue(), console.file.getvalue()]  # type: ignore[attr-defined]
    assert ["cached from row 2" in one for one in shown] == [False, False, True, True]
    stream = io.StringIO()
    render_summary(summary(prefix_why="cached from row 2"), Console(file=stream, width=80), verbose=True)
    assert "prompt   cached from row 2" in stream.getvalue()
    assert "cached from row 2" not in rendered(summary(prefix_why="cached from row 2"))


@pytest.mark.parametrize("width", [80, 100])
def test_a_terminal_of_24_lines_shows_all_of_the_summary_but_some_labels(llmbatch: Program, width: int) -> None:
    labels = "".join(f'[[labels]]\nname = "label_{n}"\ndescription = "case {n}."\n' for n in range(30))
    (llmbatch.folder / "many.toml").write_text(f'name = "many"\n{labels}')
    write_rows(llmbatch.folder / "docs.jsonl", documents(60))
    assert llmbatch("classify", "docs.jsonl", "--task", "many.toml", "--offline", "--out", "run").code == 0
    shown = on_a_terminal(llmbatch, "show", "run", width=width)
    assert len(shown) <= 24
    assert any(line.startswith("Finished  run") for line in shown)
    assert shown[-2].startswith("  cost ")
    assert shown[-1] == "  next      llmbatch review run"
    assert "more labels" in "\n".join(shown)


@pytest.mark.parametrize("width", [60, 80, 100])
def test_names_in_wide_tables_are_folded_and_never_cut(width: int) -> None:
    names = [f"ft:gpt-6-luna:a-company-of-ours:tickets-{n}:8f3a11bc2d" for n in (1, 2)]
    figures = [Column(f"figure {n}", [Text("1,234,567"), Text("89.1%")], rank=n) for n in range(9)]
    table, left_out = fitted(Column("model", [Text(name) for name in names]), figures, width)
    stream = io.StringIO()
    Console(file=stream, width=width, color_system=None).print(table)
    shown = stream.getvalue().splitlines()
    assert max(map(len, shown)) <= width
    assert "".join(names) in "".join(line.split("  ")[0].strip() for line in shown[1:])
    assert len(left_out) + sum("figure" in part for part in shown[0].split("  ")) == 9
    whole, nothing = fitted(Column("model", [Text(name) for name in names]), figures, None)
    assert (len(whole.columns), nothing) == (10, [])
