"""The verdict of several votes on a row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.core.ledger_line import Vote
from llmbatch.task.fields import FieldKind, Label, TaskField
from llmbatch.task.label_space import LabelSpace, plain_space
from llmbatch.task.voting import verdict

PLAIN = plain_space([Label(name=name) for name in ("A", "B", "C")])
TAGS = LabelSpace(
    [TaskField(name="tags", kind=FieldKind.multi, labels=tuple(Label(name=name) for name in ("a", "b", "c")))],
    is_plain=False,
)
FIELDS = LabelSpace(
    [
        TaskField(name="topic", labels=(Label(name="x"), Label(name="y"))),
        *TAGS.fields,
        TaskField(name="severity", kind=FieldKind.number, minimum=1, maximum=5),
        TaskField(name="urgent", kind=FieldKind.yes_no),
    ],
    is_plain=False,
)


def vote(category: str, confidence: float, of_parts: dict[str, float] | None = None) -> Vote:
    return Vote("m", "p", category, confidence, confidences=of_parts)


@pytest.mark.parametrize(
    ("votes", "label", "confidence"),
    [
        ([("A", 0.4), ("A", 0.4), ("A", 0.4)], "A", 1 - 0.6 * 0.6),
        ([("A", 0.4), ("B", 0.9), ("B", 0.9)], "B", 1.8 / 2.2 * (1 - 0.1 * 0.1**0.5)),
        ([("A", 0.4), ("A", 0.9), ("B", 0.9)], "A", 1.3 / 2.2 * (1 - 0.1 * 0.6**0.5)),
        ([("A", 0.3), ("B", 0.9), ("C", 0.3)], "B", 0.9 / 1.5 * 0.9),
        ([("A", 0.5), ("B", 0.5)], "A", 0.25),
        ([("A", 1.0), ("A", 1.0)], "A", 1.0),
        ([("A", 0.0), ("B", 0.0)], "A", 0.0),
    ],
)
def test_votes_are_weighted_by_their_confidence(votes: list[tuple[str, float]], label: str, confidence: float) -> None:
    found = verdict(PLAIN, [vote(*one) for one in votes])
    assert (found.category, found.confidences, found.none_fits) == (label, None, False)
    assert found.confidence == pytest.approx(confidence, abs=1e-6)


def test_each_label_of_several_is_voted_on_separately() -> None:
    votes = [
        vote("a|b", 0.4, {"tags": 0.4, "tags=a": 0.8, "tags=b": 0.4}),
        vote("a", 0.9, {"tags": 0.9, "tags=a": 0.9}),
        vote("a|c", 0.3, {"tags": 0.3, "tags=a": 0.9, "tags=c": 0.3}),
    ]
    found = verdict(TAGS, votes)
    assert found.category == "a"
    assert found.confidences == {"tags": 0.985858, "tags=a": 0.985858}, "1 - 0.1 * sqrt(0.1 * 0.2)"
    nothing = verdict(TAGS, [vote("a", 0.3), vote("b", 0.3), vote("(none)", 0.9)])
    assert (nothing.category, nothing.confidence) == ("(none)", 0.54), "0.9 of 1.5, and one in ten such votes is wrong"
    unlike = verdict(TAGS, [vote("a", 0.3), vote("b", 0.3), vote("c", 0.3)])
    assert (unlike.category, unlike.confidence) == ("a", 0.1), (
        "no vote for none: the first vote wins, with low confidence"
    )


def test_numbers_use_the_median_and_fields_the_least_certain_one() -> None:
    def of(severity: int, topic: str, confidence: float) -> Vote:
        return vote(f"topic={topic}; tags=(none); severity={severity}; urgent=yes", confidence)

    found = verdict(FIELDS, [of(1, "x", 0.5), of(4, "x", 0.5), of(5, "y", 0.5)])
    assert found.category == "topic=x; tags=(none); severity=4; urgent=yes"
    assert found.confidences is not None
    assert found.confidences == pytest.approx({"topic": 0.430964, "tags": 0.75, "severity": 0.166667, "urgent": 0.75})
    assert found.confidence == min(found.confidences.values())


def test_a_vote_for_no_label_does_not_count_for_the_likeliest() -> None:
    refused = Vote("m", "p", "A", 0.0, none_fits=True)
    found = verdict(PLAIN, [refused, vote("B", 0.9), vote("B", 0.9)])
    assert (found.category, found.none_fits) == ("B", False)
    assert found.confidence == pytest.approx(1.8 / 2.3 * (1 - 0.1 * 0.1**0.5), abs=1e-6)
    assert verdict(PLAIN, [refused, vote("B", 0.9)]).none_fits
    assert verdict(TAGS, [Vote("m", "p", "a", 0.0, none_fits=True)]).confidences == {"tags": 0.0}


def of_fields(topic: str, tags: set[str], severity: int, urgent: str, confidence: float) -> Vote:
    listed = "|".join(sorted(tags)) or "(none)"
    return vote(f"topic={topic}; tags={listed}; severity={severity}; urgent={urgent}", confidence)


votes_on_fields = st.builds(
    of_fields,
    st.sampled_from("xy"),
    st.sets(st.sampled_from("abc")),
    st.integers(1, 5),
    st.sampled_from(["yes", "no"]),
    st.floats(0, 1),
)


@given(st.lists(votes_on_fields, min_size=1, max_size=6))
def test_the_verdict_is_always_a_valid_value_of_the_task(votes: list[Vote]) -> None:
    found = verdict(FIELDS, votes)
    assert found.category in FIELDS
    assert found.confidences is not None
    assert all(0 <= confidence <= 1 for confidence in found.confidences.values())
    assert found.confidence == min(found.confidences[name] for name in FIELDS.columns())


@given(st.lists(st.tuples(st.sampled_from("ABC"), st.floats(0.01, 1)), min_size=1, max_size=6), st.floats(0.01, 1))
def test_another_vote_for_the_verdict_never_lowers_its_confidence(
    votes: list[tuple[str, float]], weight: float
) -> None:
    before = verdict(PLAIN, [vote(*one) for one in votes])
    after = verdict(PLAIN, [*(vote(*one) for one in votes), vote(before.category, weight)])
    assert after.category == before.category
    assert after.confidence >= before.confidence
