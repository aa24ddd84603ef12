"""The limits that an endpoint states are read from its headers, and nonsense is ignored."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.provider.limits import StatedLimit, stated_limits

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
            [StatedLimit("", "requests", 14400, 14370, 179.56, None), StatedLimit("", "tokens", 18000, 17997, 7.66, None)],  # noqa: E501
        ),
        (
            {
                "anthropic-ratelimit-requests-limit": "50", "anthropic-ratelimit-requests-remaining": "49",
                "anthropic-ratelimit-requests-reset": "2025-11-24T16:00:30Z",
            },
            [StatedLimit("", "requests", 50, 49, 30.0, None)],
        ),
        (
            {"x-ratelimit-limit-requests-day": "14400", "x-ratelimit-reset-requests-day": "33011.3",
             "x-ratelimit-limit-tokens-minute": "60000", "x-ratelimit-remaining-tokens-minute": "59000"},
            [StatedLimit("", "requests", 14400, None, 33011.3, DAY_S), StatedLimit("", "tokens", 60000, 59000, None, 60.0)],  # noqa: E501
        ),
        (
            {"x-ratelimit-limit": "20", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1764000060000"},
            [StatedLimit("", "requests", 20, 0, 60.0, None)],
        ),
        (
            {"x-ratelimit-limit-requests": "400", "x-ratelimit-remaining-requests": "399",
             "x-ratelimit-reset-requests": "1764000060"},
            [StatedLimit("", "requests", 400, 399, 60.0, None)],
        ),
        ({"x-tokenlimit-limit": "2000000", "x-tokenlimit-remaining": "5"}, [StatedLimit("", "tokens", 2000000, 5, None, None)]),  # noqa: E501
        (
            {"ratelimit-limit": "100", "ratelimit-remaining": "50", "ratelimit-reset": "9"},
            [StatedLimit("", "requests", 100, 50, 9.0, None)],
        ),
        (
            {"x-ratelimit-limit-requests": "300", "x-ratelimit-renewalperiod-requests": "60"},
            [StatedLimit("", "requests", 300, None, None, 60.0)],
        ),
        (
            {"ratelimit": '"api";r=489;t=189', "ratelimit-policy": '"fixed window";"api";q=500;w=300'},
            [StatedLimit("", "requests", 500, 489, 189.0, 300.0)],
        ),
        (
            {"ratelimit": '"burst";r=9;t=1, "day";r=900;t=3600;pk=:a2V5:, "size";r=5000;t=60',
             "ratelimit-policy": '"burst";q=10;w=1, "day";q=1000;w=86400;comment="a, b;c", "size";q=9000;qu="tokens";w=60'},  # noqa: E501
            [StatedLimit("", "requests", 10, 9, 1.0, 1.0), StatedLimit("", "requests", 1000, 900, 3600.0, DAY_S),
             StatedLimit("", "tokens", 9000, 5000, 60.0, 60.0)],
        ),
        (
            {"ratelimit": '"body";r=900;t=10', "ratelimit-policy": '"body";q=1000;qu="content-bytes";w=60'},
            [],
        ),
        (
            {"ratelimit": "limit=100, remaining=50, reset=30", "ratelimit-policy": "100;w=60, 10000;w=86400"},
            [StatedLimit("", "requests", 100, 50, 30.0, 60.0)],
        ),
        (
            {"ratelimit-limit": "10, 10;w=5, 80;w=60", "ratelimit-remaining": "6", "ratelimit-reset": "3"},
            [StatedLimit("", "requests", 10, 6, 3.0, 5.0)],
        ),
        (
            {"x-rate-limit-limit": "600", "x-rate-limit-remaining": "599", "x-rate-limit-reset": "1764000060"},
            [StatedLimit("", "requests", 600, 599, 60.0, None)],
        ),
        (
            {"x-ratelimit-limit": "60", "x-ratelimit-remaining": "59", "x-ratelimit-reset": "1764000030",
             "x-ratelimit-used": "1", "x-ratelimit-resource": "core"},
            [StatedLimit("", "requests", 60, 59, 30.0, None)],
        ),
        (
            {"x-rate-limit-limit": "150", "x-rate-limit-remaining": "35", "x-rate-limit-time-reset-ms": "3000"},
            [StatedLimit("", "requests", 150, 35, 3.0, None)],
        ),
        (
            {"x-ratelimit-limit": "5", "x-ratelimit-remaining": "4", "x-ratelimit-reset": "Mon, 24 Nov 2025 16:00:30 GMT"},  # noqa: E501
            [StatedLimit("", "requests", 5, 4, 30.0, None)],
        ),
        (
            {"x-ratelimit-limit-requests": "100", "x-ratelimit-remaining-requests": "99",
             "llm_provider-x-ratelimit-limit-requests": "6000", "llm_provider-x-ratelimit-remaining-requests": "5999"},
            [StatedLimit("", "requests", 100, 99, None, None), StatedLimit("", "requests", 6000, 5999, None, None)],
        ),
        ({"x-ratelimit-remaining-requests": "9", "x-ratelimit-remaining-tokens": "0"}, []),
        (
            {"x-ratelimit-limit-minute": "60", "x-ratelimit-remaining-minute": "59", "x-ratelimit-limit-month": "9000"},
            [StatedLimit("", "requests", 60, 59, None, 60.0), StatedLimit("", "requests", 9000, None, None, 30 * DAY_S)],  # noqa: E501
        ),
        ({"x-ratelimit-limit": "100.0, 10000;window=86400"}, [StatedLimit("", "requests", 100)]),
        ({"x-ratelimit-limit-tokens": "-1", "x-ratelimit-remaining-tokens": "-1"}, []),
        ({"x-ratelimit-limit-requests": "0"}, []),
        ({"x-ratelimit-limit-requests": "5", "x-ratelimit-remaining-requests": "9"}, [StatedLimit("", "requests", 5)]),
        ({"x-ratelimit-limit": "5", "x-ratelimit-reset": "1500000000"}, [StatedLimit("", "requests", 5)]),
        ({"x-ratelimit-limit-req-minute": "60"}, [StatedLimit("", "requests", 60, None, None, 60.0)]),
        ({"x-ratelimit-limit-input-images": "50000", "content-type": "text/plain"}, []),
        ({"x-ratelimit-limit-requests": "many", "x-ratelimit-reset-requests": "-3"},
         []),
    ],
)  # fmt: skip
def test_each_providers_limit_headers_are_read(headers: dict[str, str], buckets: list[StatedLimit]) -> None:
    found = stated_limits(headers, now=NOW)
    assert [(b.kind, b.limit, b.remaining, b.window_s) for b in found] == [
        (b.kind, b.limit, b.remaining, b.window_s) for b in buckets
    ]
    assert [b.reset_s for b in found] == pytest.approx([b.reset_s for b in buckets])


NAMES = ["x-ratelimit-limit", "x-ratelimit-reset", "ratelimit-limit", "ratelimit", "ratelimit-policy"]
VALUES = st.text(max_size=30) | st.text('0123456789rqwt=;," ', max_size=60) | st.integers().map(str)


@given(st.dictionaries(st.sampled_from(NAMES), VALUES))
def test_no_header_value_breaks_the_reading_of_limits(headers: dict[str, str]) -> None:
    assert all(bucket.reset_s is None or 0 <= bucket.reset_s for bucket in stated_limits(headers, now=NOW))
