"""The limits that an endpoint states are read from its headers, and nothing is made of nonsense."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.provider.limits import LimitBucket, stated_buckets, stated_limits


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


NOW = 1_764_000_000.0  # 2025-11-24T16:00:00Z
DAY_S = 86_400.0


@pytest.mark.parametrize(
    ("headers", "buckets"),
    [
        (
            {
                "x-ratelimit-limit-requests": "14400", "x-ratelimit-remaining-requests": "14370",
                "x-ratelimit-reset-requests": "2m59.56s", "x-ratelimit-limit-tokens": "18000",
                "x-ratelimit-remaining-tokens": "17997", "x-ratelimit-reset-tokens": "7.66s",
            },
            [LimitBucket("requests", 14400, 14370, 179.56, None), LimitBucket("tokens", 18000, 17997, 7.66, None)],
        ),
        (
            {
                "anthropic-ratelimit-requests-limit": "50", "anthropic-ratelimit-requests-remaining": "49",
                "anthropic-ratelimit-requests-reset": "2025-11-24T16:00:30Z",
            },
            [LimitBucket("requests", 50, 49, 30.0, None)],
        ),
        (
            {"x-ratelimit-limit-requests-day": "14400", "x-ratelimit-reset-requests-day": "33011.3",
             "x-ratelimit-limit-tokens-minute": "60000", "x-ratelimit-remaining-tokens-minute": "59000"},
            [LimitBucket("requests", 14400, None, 33011.3, DAY_S), LimitBucket("tokens", 60000, 59000, None, 60.0)],
        ),
        (
            {"x-ratelimit-limit": "20", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1764000060000"},
            [LimitBucket("requests", 20, 0, 60.0, None)],
        ),
        (
            {"x-ratelimit-limit-requests": "400", "x-ratelimit-remaining-requests": "399",
             "x-ratelimit-reset-requests": "1764000060"},
            [LimitBucket("requests", 400, 399, 60.0, None)],
        ),
        ({"x-tokenlimit-limit": "2000000", "x-tokenlimit-remaining": "5"}, [LimitBucket("tokens", 2000000, 5, None, None)]),  # noqa: E501
        (
            {"ratelimit-limit": "100", "ratelimit-remaining": "50", "ratelimit-reset": "9"},
            [LimitBucket("requests", 100, 50, 9.0, None)],
        ),
        ({"x-ratelimit-limit-req-minute": "60"}, [LimitBucket("requests", 60, None, None, 60.0)]),
        ({"x-ratelimit-limit-input-images": "50000", "content-type": "text/plain"}, []),
        ({"x-ratelimit-limit-requests": "many", "x-ratelimit-reset-requests": "-3"},
         [LimitBucket("requests", None, None, None, None)]),
    ],
)  # fmt: skip
def test_each_makers_form_of_a_limit_is_read(headers: dict[str, str], buckets: list[LimitBucket]) -> None:
    found = stated_buckets(headers, now=NOW)
    assert [(b.kind, b.limit, b.remaining, b.window_s) for b in found] == [
        (b.kind, b.limit, b.remaining, b.window_s) for b in buckets
    ]
    assert [b.reset_s for b in found] == pytest.approx([b.reset_s for b in buckets])


@given(st.dictionaries(st.sampled_from(["x-ratelimit-reset-requests", "ratelimit-limit"]), st.text(max_size=30)))
def test_no_header_value_can_break_the_reading_of_limits(headers: dict[str, str]) -> None:
    assert all(bucket.reset_s is None or 0 <= bucket.reset_s for bucket in stated_buckets(headers, now=NOW))
