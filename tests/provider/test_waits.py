"""A server's wait is read if possible, and otherwise counts as absent."""

import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.provider.waits import parse_duration_s, server_wait_s

NOON = 1_764_000_000.0  # 2025-11-24T16:00:00Z


@pytest.fixture
def in_new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This machine's time zone, which no server knows."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({}, None),
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
        ({"retry-after": "Mon, 24 Nov 2025 16:00:30 GMT"}, 30.0),
        ({"retry-after": "Mon, 24 Nov 2025 15:00:00 GMT"}, 0.0),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "tomorrow"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "86400"}, 86400.0),
        ({"retry-after": "1764000020"}, 20.0),
        ({"retry-after": "1764000020500"}, 20.5),
        ({"retry-after": "2025-11-24T16:00:30Z"}, 30.0),
        ({"retry-after": "2025-11-24T16:00:30"}, 30.0),
        ({"retry-after": "Mon Nov 24 2025 17:00:30 GMT+0100 (Central European Standard Time)"}, 30.0),
        ({"retry-after": "Mon, 24 Nov 2025 16:00:30 -0000"}, 30.0),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:05 GMT"}, 0.0),
    ],
)
@pytest.mark.usefixtures("in_new_york")
def test_each_form_of_a_wait(headers: dict[str, str], wait_s: float | None) -> None:
    assert server_wait_s(headers, now=NOON) == wait_s


def test_a_date_refers_to_the_servers_clock() -> None:
    headers = {"date": "Mon, 24 Nov 2025 16:00:00 GMT", "retry-after": "Mon, 24 Nov 2025 16:00:30 GMT"}
    assert server_wait_s(headers) == 30


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("6m0s", 360.0),
        ("12ms", 0.012),
        ("1s", 1.0),
        ("1h2m3.5s", 3723.5),
        ("2", 2.0),
        ("", None),
        (None, None),
        ("-1s", None),
        ("x", None),
    ],
)
def test_each_form_of_a_duration(text: str | None, seconds: float | None) -> None:
    assert parse_duration_s(text) == seconds


@given(st.text(max_size=40))
def test_no_header_value_breaks_it(value: str) -> None:
    waits = [
        server_wait_s({"retry-after": value}, now=NOON),
        server_wait_s({"retry-after-ms": value}),
        parse_duration_s(value),
    ]
    assert all(wait is None or 0 <= wait < float("inf") for wait in waits)
