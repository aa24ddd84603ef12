"""The limits that an endpoint states are read from its headers, and nothing is made of nonsense."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.provider.limits import stated_limits


def headers(limit: str, remaining: str | None = None, reset: str | None = None) -> dict[str, str]:
    found = {"x-ratelimit-limit-requests": limit}
    if remaining is not None:
        found["x-ratelimit-remaining-requests"] = remaining
    if reset is not None:
        found["x-ratelimit-reset-requests"] = reset
    return found


@pytest.mark.parametrize(
    ("found", "per_s"),
    [
        ({}, None),
        (headers("600"), 10.0),
        (headers("600", "599", "100ms"), 10.0),
        (headers("600", "590", "1s"), 10.0),
        (headers("200", "199", "7m12s"), 1 / 432),
        (headers("600", "600", "0s"), 10.0),
        (headers("0"), None),
        (headers("-5"), None),
        (headers("many"), None),
        (headers("600", "-1", "-1s"), 10.0),
        (headers("600", "599", "soon"), 10.0),
    ],
)
def test_requests_a_second(found: dict[str, str], per_s: float | None) -> None:
    assert stated_limits(found).requests_per_s == (None if per_s is None else pytest.approx(per_s))


def test_tokens_are_read_as_well() -> None:
    assert stated_limits({"x-ratelimit-limit-tokens": "60000"}).tokens_per_s == 1000


@given(st.dictionaries(st.sampled_from([*headers("", "", "")]), st.text(max_size=12)))
def test_no_header_can_break_it_or_ask_for_a_standstill(found: dict[str, str]) -> None:
    per_s = stated_limits(found).requests_per_s
    assert per_s is None or per_s > 0
