"""A deadline is a time span or a time of day."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.core.errors import UsageError
from llmbatch.core.local_time import local_zone
from llmbatch.runs.options import parse_deadline

HALF_PAST_TEN_IN_THE_EVENING = datetime(2026, 11, 24, 22, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("30m", 1800),
        ("6h", 21600),
        ("2h30m", 9000),
        ("1H5S", 3605),
        ("23:00", 1800),
        ("06:30", 8 * 3600),
        ("22:30", 24 * 3600),
    ],
)
def test_a_span_counts_from_now_and_a_time_of_day_is_the_next_one(text: str, seconds: float) -> None:
    assert parse_deadline(text, now=HALF_PAST_TEN_IN_THE_EVENING) == seconds


@pytest.mark.parametrize("text", ["", "soon", "6", "-5m", "25:00", "1d"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--deadline"):
        parse_deadline(text, now=HALF_PAST_TEN_IN_THE_EVENING)


@pytest.mark.parametrize(
    ("zone", "now", "text", "hours"),
    [
        ("Europe/Berlin", "2026-03-28T22:00", "06:30", 7.5),  # the clocks go forward that night
        ("Europe/Berlin", "2026-10-24T22:00", "06:30", 9.5),  # and back
        ("Europe/Berlin", "2026-10-24T22:00", "02:30", 4.5),  # the first of two
        ("Europe/Berlin", "2026-03-28T22:00", "02:30", 4.5),  # skipped: by the clock of the evening before
        ("America/New_York", "2026-03-07T22:00", "06:30", 7.5),
        ("Australia/Lord_Howe", "2026-04-04T22:00", "06:30", 9),  # by half an hour
        ("Pacific/Apia", "2011-12-29T22:00", "06:30", 8.5),  # the 30th was skipped
        ("Asia/Kolkata", "2026-03-28T22:00", "06:30", 8.5),
    ],
)
def test_a_time_of_day_is_right_across_a_clock_change(zone: str, now: str, text: str, hours: float) -> None:
    here = datetime.fromisoformat(now).replace(tzinfo=ZoneInfo(zone))
    assert parse_deadline(text, now=here) == hours * 3600


def test_an_ambiguous_time_is_the_next_occurrence() -> None:
    now = datetime(2026, 10, 25, 2, 45, tzinfo=ZoneInfo("Europe/Berlin"))
    assert parse_deadline("02:30", now=now) == 45 * 60


def test_a_time_may_include_a_zone() -> None:
    now = datetime(2026, 11, 24, 22, 30, tzinfo=ZoneInfo("America/New_York"))
    assert parse_deadline("04:00Z", now=now) == 1800
    assert parse_deadline("06:30+02:00", now=now) == 3600


@given(
    st.sampled_from(sorted(available_timezones())),
    st.integers(946_684_800, 2_114_380_800),
    st.times(),
)
def test_clocks_show_the_given_time_at_the_deadline_or_skipped_it(zone: str, moment: int, clock: time) -> None:
    now = datetime.fromtimestamp(moment, ZoneInfo(zone))
    seconds = parse_deadline(str(clock), now=now)
    assert 0 < seconds <= 50 * 3600
    then = (now.astimezone(UTC) + timedelta(seconds=seconds)).astimezone(ZoneInfo(zone))
    shown = datetime.combine(then.date(), clock, ZoneInfo(zone)).astimezone(UTC).astimezone(ZoneInfo(zone))
    is_skipped = shown.time() != clock
    assert then.time() == clock or is_skipped


@pytest.mark.parametrize(
    ("name", "winter", "summer"),
    [
        ("Europe/Berlin", 1, 2),
        (":Europe/Berlin", 1, 2),
        ("/usr/share/zoneinfo/Europe/Berlin", 1, 2),
        ("CET-1CEST,M3.5.0,M10.5.0/3", 1, 2),
        ("ABC5DEF", -5, -4),
        ("<+0330>-3:30", 3.5, 3.5),
        ("", 0, 0),
    ],
)
def test_tz_is_read_as_posix_defines_it(
    monkeypatch: pytest.MonkeyPatch, name: str, winter: float, summer: float
) -> None:
    monkeypatch.setenv("TZ", name)
    zone = local_zone()
    offsets = [datetime(2026, month, 1, tzinfo=zone).utcoffset() for month in (1, 7)]
    assert offsets == [timedelta(hours=winter), timedelta(hours=summer)]


@pytest.mark.parametrize("name", ["Europe/Berlln", "nonsense", "/nowhere", "../etc/passwd", "é", "A" * 5000, "AAA9999"])
def test_an_invalid_zone_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("TZ", name)
    with pytest.raises(UsageError, match="TZ"):
        parse_deadline("06:30")
    assert parse_deadline("6h") == 6 * 3600


def test_without_tz_the_machines_zone_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TZ", raising=False)
    assert datetime.now(local_zone()).utcoffset() == datetime.now().astimezone().utcoffset()
