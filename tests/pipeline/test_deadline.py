"""A deadline is a time span or a time of day."""

from datetime import UTC, datetime

import pytest

from llmbatch.errors import UsageError
from llmbatch.pipeline.options import parse_deadline

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
def test_anything_else_is_told(text: str) -> None:
    with pytest.raises(UsageError, match="--deadline"):
        parse_deadline(text, now=HALF_PAST_TEN_IN_THE_EVENING)
