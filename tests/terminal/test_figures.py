"""Formatting of figures."""

import pytest

from llmbatch.core.plurals import counted
from llmbatch.core.shares import percent
from llmbatch.observe.progress import Progress
from llmbatch.terminal.figures import Rate, dollars, duration


@pytest.mark.parametrize(
    ("nanousd", "shown"),
    [
        (None, "unknown"),
        (0, "$0"),
        (1, "$0.000000001"),
        (123, "$0.000000123"),
        (2_136_900, "$0.00214"),
        (123_456_789, "$0.1235"),
        (1_234_567_890, "$1.23"),
        (1_234_560_000_000, "$1,234.56"),
    ],
)
def test_an_amount_shows_its_significant_digits(nanousd: int | None, shown: str) -> None:
    assert dollars(nanousd) == shown


def test_one_is_singular() -> None:
    assert [counted(n, "row") for n in (0, 1, 1200)] == ["0 rows", "1 row", "1,200 rows"]


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.04, "0.0s"), (9.94, "9.9s"), (12.4, "12s"), (185, "3m05s"), (7620, "2h07m")]
)
def test_a_duration_has_two_units_at_most(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [(0, 0, "0%"), (0, 5, "0%"), (5, 5, "100%"), (1, 10**6, "0.1%"), (999_999, 10**6, "99.9%")],
)
def test_a_share_is_never_rounded_to_all_or_nothing(part: int, whole: int, shown: str) -> None:
    assert percent(part, whole) == shown


def test_the_rate_is_that_of_the_last_ten_seconds() -> None:
    rate = Rate()
    for second in range(31):
        done = 10 * min(second, 15) + 100 * max(second - 15, 0)
        rate.add(Progress(total=10_000, done=done, elapsed_s=float(second)))
    assert rate.per_s == pytest.approx(100)


def test_rows_of_earlier_sessions_do_not_make_a_run_look_fast() -> None:
    rate = Rate()
    rate.add(Progress(total=100, done=90, skipped=90, elapsed_s=1))
    assert rate.per_s == 0
    assert rate.eta_s(Progress(total=100, done=90)) is None
