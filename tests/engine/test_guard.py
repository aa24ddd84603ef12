"""A run with too many failures stops itself, and a short bad period does not stop it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.core.errors import RunStopped, UsageError
from llmbatch.core.ledger_line import FAILED, OK, LedgerLine, Retry, RowError
from llmbatch.engine.failure_rate_guard import FailureRateGuard, GuardSettings, parse_share


def line(row: int, **changes: Any) -> LedgerLine:
    fields: dict[str, Any] = {"id": row, "key": "0" * 32, "status": OK, "prompt": "p", "model": "m", "started_at": ""}
    return LedgerLine(row=row, **{**fields, "parse": "clean", **changes})


def failed(row: int, kind: str = "timeout") -> LedgerLine:
    return line(row, status=FAILED, parse=None, error=RowError(kind, None, f"what {kind} said"))


def stopped_at(lines: list[LedgerLine], settings: GuardSettings | None = None) -> tuple[int, RunStopped] | None:
    guard = FailureRateGuard(settings or GuardSettings())
    for number, one in enumerate(lines, start=1):
        if (reason := guard.watch(one)) is not None:
            return number, reason
    return None


def test_too_many_failures_stop_the_run_and_are_listed() -> None:
    lines = [failed(n, "timeout" if n % 3 else "server_error") for n in range(80)]
    stop = stopped_at(lines)
    assert stop is not None
    number, reason = stop
    assert number == 50
    assert reason.message == (
        "50 of the last 50 rows failed (--stop-at-failures 50%): "
        "timeout 33 (row 1: what timeout said); server_error 17 (row 0: what server_error said)"
    )


def test_a_few_failed_rows_at_the_start_do_not_stop_the_run() -> None:
    assert stopped_at([*(failed(n) for n in range(20)), *(line(n) for n in range(500))]) is None


def test_many_failures_late_in_a_long_run_stop_it() -> None:
    stop = stopped_at([*(line(n) for n in range(1000)), *(failed(n) for n in range(300))])
    assert stop is not None
    assert stop[0] == 1101


@pytest.mark.parametrize("kind", ["invalid", "empty"])
def test_unusable_answers_count_even_if_a_re_ask_fixed_them(kind: str) -> None:
    lines = [line(n, retries=(Retry(kind, None, None, 0.0),) if n % 4 == 0 else ()) for n in range(100)]
    stop = stopped_at(lines)
    assert stop is not None
    assert "--stop-at-invalid 20%" in stop[1].message
    assert f"{kind} 13" in stop[1].message


def test_a_limit_of_100_percent_never_stops_the_run() -> None:
    assert stopped_at([failed(n) for n in range(500)], GuardSettings(1.0, 1.0)) is None


@given(st.lists(st.booleans(), max_size=400))
def test_the_run_never_stops_while_no_window_has_too_many_failures(fails: list[bool]) -> None:
    lines = [failed(n) if fail else line(n) for n, fail in enumerate(fails)]
    stop = stopped_at(lines)
    if stop is not None:
        window = fails[max(stop[0] - 200, 0) : stop[0]]
        assert len(window) >= 50
        assert sum(window) > len(window) / 2


@pytest.mark.parametrize(("text", "share"), [("50%", 0.5), ("0%", 0.0), ("100%", 1.0), (" 12.5% ", 0.125)])
def test_a_share_is_a_percentage(text: str, share: float) -> None:
    assert parse_share(text, "--x") == share


@pytest.mark.parametrize("text", ["", "50", "-1%", "101%", "nan%", "x%"])
def test_an_invalid_share_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"(?m)^--x .* is not a percentage$"):
        parse_share(text, "--x")
