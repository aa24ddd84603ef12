"""A line is read back as it was written."""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmbatch.core.ledger_line import FAILED, LedgerLine, Retry, RowError, Status
from llmbatch.core.money import to_usd
from llmbatch.core.review_rule import ReviewRule

texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    row_id=texts | st.integers() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False),
    message=texts,
    cost=st.none() | st.integers(0, 10**15),
    tokens=st.integers(0, 10**9),
)
def test_every_line_reads_back_as_it_was_written(
    make_line: Callable[..., LedgerLine],
    row_id: str | float,
    message: str,
    cost: int | None,
    tokens: int,
) -> None:
    line = make_line(
        3,
        id=row_id,
        status=FAILED,
        cost_usd=None if cost is None else to_usd(cost),
        input_tokens=tokens,
        retries=(Retry("timeout", None, None, 5.25),),
        flags=("usage_missing",),
        answer=message,
        error=RowError("invalid", None, message),
    )
    assert LedgerLine.from_record(line.to_record()) == line
    assert line.cost_nanousd == cost, "sums of nano-dollars are exact"


def test_the_integer_1_and_the_string_1_stay_different_ids(make_line: Callable[..., LedgerLine]) -> None:
    assert LedgerLine.from_record(make_line(id=1).to_record()).id == 1
    assert LedgerLine.from_record(make_line(id="1").to_record()).id == "1"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\n",
        b"{}",
        b"[]",
        b"null",
        b"\x00\x00",
        b'{"row":1}',
        b'{"row":1,"id":1,"key":"x","status":"ok","prompt":"","model":"","started_at":""}',
    ],
)
def test_an_invalid_line_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        LedgerLine.from_record(raw)


@pytest.mark.parametrize(
    ("status", "confidence", "shown"),
    [
        ("ok", 0.9, "ok"),
        ("ok", 0.4, "review"),
        ("review", 0.9, "ok"),  # of an earlier version, with a different threshold
        ("review", 0.4, "review"),
        ("ok", None, "ok"),
        ("failed", None, "failed"),
    ],
)
def test_whether_a_row_needs_review_follows_from_its_confidence(
    make_line: Callable[..., LedgerLine], status: Status, confidence: float | None, shown: str
) -> None:
    read = LedgerLine.from_record(make_line(status=status, confidence=confidence).to_record())
    rule = ReviewRule(0.5)
    assert (rule.status(read), rule.needs_review(read)) == (shown, shown == "review")
