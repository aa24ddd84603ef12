"""The random sample is reproducible and fair."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.core.errors import UsageError
from llmbatch.core.rows import Place, Row
from llmbatch.runs.outputs.sample import Draw, Sample, drawn, parse_sample

ROWS = [Row(n, f"d-{n}", "x", Place("f", n), {}) for n in range(2000)]


@pytest.mark.parametrize(
    ("text", "sample"),
    [("2%", Sample(share=0.02)), ("50", Sample(count=50)), ("0", Sample()), ("0.5%", Sample(share=0.005))],
)
def test_a_share_and_a_count_are_understood(text: str, sample: Sample) -> None:
    assert parse_sample(text) == sample


@pytest.mark.parametrize("text", ["", "x", "-1", "101%", "nan%", "1.5", "%"])
def test_an_invalid_sample_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_sample(text)


@given(st.integers(0, 2**31), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_only_adds_rows(seed: int, one: float, other: float) -> None:
    small, large = sorted((one, other))
    few = {r.index for r in ROWS[:200] if Draw(Sample(share=small, seed=seed), ()).takes(r)}
    many = {r.index for r in ROWS[:200] if Draw(Sample(share=large, seed=seed), ()).takes(r)}
    assert few <= many


def test_a_share_takes_about_that_many_rows() -> None:
    draw = Draw(Sample(share=0.1), ())
    assert 150 < sum(draw.takes(row) for row in ROWS) < 250


@given(st.integers(0, 300), st.integers(0, 100))
def test_a_count_takes_exactly_that_many_rows(count: int, seed: int) -> None:
    draw = Draw(Sample(count=count, seed=seed), ROWS[:200])
    assert sum(draw.takes(row) for row in ROWS[:200]) == min(count, 200)


def test_another_seed_draws_another_sample() -> None:
    one, other = (Draw(Sample(share=0.1, seed=seed), ()) for seed in (1, 2))
    assert [r.index for r in ROWS if one.takes(r)] != [r.index for r in ROWS if other.takes(r)]


def numbered(texts: list[str], *, ids: str) -> list[Row]:
    """Rows of an input: with distinct ids, none (then the position is the id), or all the same."""
    rows = []
    for n, text in enumerate(texts):
        fields: dict[str, object] = {"text": text}
        if ids == "own":
            fields["id"] = int(text.split()[-1])
        elif ids == "same":
            fields["id"] = "x"
        rows.append(Row(n, fields.get("id", n), text, Place("f", n), fields))  # type: ignore[arg-type]
    return rows


@pytest.mark.parametrize("ids", ["own", "none", "same"])
def test_inserting_rows_leaves_the_rest_of_the_sample_unchanged(ids: str) -> None:
    texts = [f"text {n}" for n in range(500)]
    before, after = (numbered(some, ids=ids) for some in (texts, ["new 9001", *texts[:250], "new 9002", *texts[250:]]))
    samples = [{row.text for row in drawn(rows, 100, seed=0)} for rows in (before, after)]
    assert len(samples[0] & samples[1]) >= 98
    for sample in (Sample(share=0.2), Sample(count=100)):
        draws = [(Draw(sample, rows), rows) for rows in (before, after)]
        kept = [{row.text for row in rows if draw.takes(row)} for draw, rows in draws]
        assert len(kept[0] - kept[1]) <= 2


def test_rows_with_the_same_id_and_text_do_not_exceed_the_requested_count() -> None:
    rows = [Row(n, "x", "same", Place("f", n), {"id": "x", "text": "same"}) for n in range(200)]
    draw = Draw(Sample(count=50), rows)
    assert sum(draw.takes(row) for row in rows) == 50
    assert len(drawn(rows, 50, seed=0)) == 50


def test_the_first_rows_of_a_sample_are_the_smaller_sample() -> None:
    large, small = Draw(Sample(count=100), ROWS), Draw(Sample(count=40), ROWS)
    ordered = sorted((place, row.index) for row in ROWS if (place := large.place(row)) is not None)
    assert {index for _, index in ordered[:40]} == {row.index for row in ROWS if small.takes(row)}
