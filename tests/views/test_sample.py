"""The random sample is reproducible and fair."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.errors import UsageError
from llmbatch.rows import Place, Row
from llmbatch.views.sample import Draw, Sample, parse_sample

ROWS = [Row(n, f"d-{n}", "x", Place("f", n), {}) for n in range(2000)]


@pytest.mark.parametrize(
    ("text", "sample"),
    [("2%", Sample(share=0.02)), ("50", Sample(count=50)), ("0", Sample()), ("0.5%", Sample(share=0.005))],
)
def test_a_share_and_a_count_are_understood(text: str, sample: Sample) -> None:
    assert parse_sample(text) == sample


@pytest.mark.parametrize("text", ["", "x", "-1", "101%", "nan%", "1.5", "%"])
def test_what_is_neither_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_sample(text)


@given(st.integers(0, 2**31), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_only_adds_rows(seed: int, one: float, other: float) -> None:
    small, large = sorted((one, other))
    few = {r.index for r in ROWS[:200] if Draw(Sample(share=small, seed=seed), ()).takes(r)}
    many = {r.index for r in ROWS[:200] if Draw(Sample(share=large, seed=seed), ()).takes(r)}
    assert few <= many


def test_a_share_takes_about_that_many() -> None:
    draw = Draw(Sample(share=0.1), ())
    assert 150 < sum(draw.takes(row) for row in ROWS) < 250


@given(st.integers(0, 300), st.integers(0, 100))
def test_a_count_takes_exactly_that_many(count: int, seed: int) -> None:
    draw = Draw(Sample(count=count, seed=seed), ROWS[:200])
    assert sum(draw.takes(row) for row in ROWS[:200]) == min(count, 200)


def test_another_seed_draws_another_sample() -> None:
    one, other = (Draw(Sample(share=0.1, seed=seed), ()) for seed in (1, 2))
    assert [r.index for r in ROWS if one.takes(r)] != [r.index for r in ROWS if other.takes(r)]
