from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.core.errors import UsageError
from llmbatch.simulate import Fault, parse_fault
from llmbatch.simulate.catalogue import DEFAULTS, KINDS
from llmbatch.simulate.fault import Period, Span


@pytest.mark.parametrize(
    ("spec", "probability"),
    [
        ("reset=0.05", 0.05),
        ("reset=5%", 0.05),
        ("reset=1", 1.0),
        ("reset=0", 0.0),
        (" reset=5 % ", 0.05),
    ],
)
def test_a_probability_is_a_share_or_a_percentage(spec: str, probability: float) -> None:
    assert parse_fault(spec) == Fault("reset", probability=probability)


@pytest.mark.parametrize(
    ("spec", "spans"),
    [
        ("quota@3", (Span(3, 3),)),
        ("quota@3,7", (Span(3, 3), Span(7, 7))),
        ("quota@10-20", (Span(10, 20),)),
        ("quota@100+", (Span(100, None),)),
        ("quota@1, 4-5, 9+", (Span(1, 1), Span(4, 5), Span(9, None))),
        ("quota@60s-120s", (Period(60, 120),)),
        ("quota@3, 0.5s-2.25s, 90s+", (Span(3, 3), Period(0.5, 2.25), Period(90, None))),
    ],
)
def test_a_schedule_names_requests_ranges_and_times(spec: str, spans: tuple[Span | Period, ...]) -> None:
    assert parse_fault(spec).schedule == spans


def test_a_range_includes_both_its_ends() -> None:
    assert [number for number in range(1, 9) if number in Span(3, 5)] == [3, 4, 5]
    assert 10**9 in Span(3, None)


def test_parameters_are_given_in_brackets_and_have_defaults() -> None:
    assert parse_fault("delay[seconds=5]@3").parameters == {"seconds": 5.0}
    assert parse_fault("delay@3").parameters == DEFAULTS["delay"]
    assert parse_fault("rate_limit[retry_after=0.25]=5%").parameters == {"retry_after": 0.25}


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("", "it is not a fault"),
        ("reset", "it is not a fault"),
        ("reset=", "it is not a fault"),
        ("reset=often", "'often' is not a number"),
        ("reset=150%", "not a probability"),
        ("reset=-1", "not a probability"),
        ("reset=nan", "not a number"),
        ("reset@0", "count from 1"),
        ("reset@5-3", "ends before it begins"),
        ("reset@5s-5s", "ends before it begins"),
        ("reset@5s", "names no requests"),
        ("reset@x", "names no requests"),
        ("reset@1,", "names no requests"),
        ("resett=5%", "unknown kind 'resett'"),
        ("reset[seconds=1]=5%", "it takes none"),
        ("delay[second=1]=5%", "no parameter 'second'; it takes seconds"),
        ("delay[seconds=-1]=5%", "negative"),
        ("delay[seconds]=5%", "not a number"),
    ],
)
def test_an_invalid_fault_is_refused_with_the_reason(spec: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_fault(spec)
    assert words in caught.value.message
    assert caught.value.hint


@given(st.text())
def test_any_text_parses_as_a_fault_or_raises_a_usage_error(spec: str) -> None:
    with suppress(UsageError):
        assert parse_fault(spec).kind


@given(st.sampled_from(KINDS), st.floats(0, 1))
def test_every_kind_accepts_every_probability(kind: str, probability: float) -> None:
    assert parse_fault(f"{kind}={probability!r}").probability == probability
