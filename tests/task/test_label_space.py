"""A row's value is stored as one text, which only the label space parses."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.task.answer import AnswerParser
from llmbatch.task.kind import InvalidAnswerError
from llmbatch.task.load import parse_task

TASK = parse_task(
    """
name = "tickets"
[[fields]]
name = "topic"
[[fields.labels]]
name = "billing"
aliases = ["invoice"]
[[fields.labels]]
name = "technical"
[[fields]]
name = "tags"
kind = "multi"
[[fields.labels]]
name = "angry"
[[fields.labels]]
name = "legal"
[[fields]]
name = "severity"
kind = "number"
minimum = 1
maximum = 5
[[fields]]
name = "urgent"
kind = "yes-no"
""",
    "t.toml",
)
SPACE = TASK.label_space
PARSER = AnswerParser(TASK.label_space)
EMOTIONS = parse_task(
    'name = "e"\n[[fields]]\nname = "emotions"\nkind = "multi"\n'
    '[[fields.labels]]\nname = "joy"\n[[fields.labels]]\nname = "anger"\n',
    "e.toml",
).label_space

VALUES = st.fixed_dictionaries(
    {
        "topic": st.sampled_from(["billing", "technical"]),
        "tags": st.lists(st.sampled_from(["angry", "legal"]), unique=True).map(sorted),
        "severity": st.integers(1, 5),
        "urgent": st.booleans(),
    }
)


def answer(values: dict[str, Any], percent: int = 90) -> dict[str, Any]:
    tags = [{"label": label, "percent": percent} for label in values["tags"]]
    return {
        **{
            key: value for name, value in values.items() for key, value in ((name, value), (f"{name}_percent", percent))
        },
        "tags": tags,
    }


@given(VALUES)
def test_values_round_trip_through_their_text(values: dict[str, Any]) -> None:
    text = SPACE.text(values)
    assert text is not None
    assert SPACE.values(text) == values
    assert text in SPACE
    assert SPACE.spelled(text) == text
    assert SPACE.spelled_in({name: str(cell) for name, cell in SPACE.cells_of(text).items()}) == text


@given(VALUES, st.integers(0, 100))
def test_an_answer_states_each_fields_value(values: dict[str, Any], percent: int) -> None:
    read = PARSER.parse(json.dumps(answer(values, percent)))
    assert SPACE.values(read.category) == values
    assert read.confidence == percent / 100
    assert not read.repaired


def test_the_rows_confidence_is_that_of_its_least_certain_label() -> None:
    given_answer = answer({"topic": "billing", "tags": ["angry", "legal"], "severity": 2, "urgent": False})
    given_answer["tags"][1]["percent"] = 40
    read = PARSER.parse(json.dumps(given_answer))
    assert read.confidence == 0.4
    assert read.confidences == {
        "topic": 0.9,
        "tags": 0.4,
        "tags=angry": 0.9,
        "tags=legal": 0.4,
        "severity": 0.9,
        "urgent": 0.9,
    }


def test_an_empty_list_of_labels_is_an_answer_and_not_a_failure() -> None:
    read = PARSER.parse(json.dumps(answer({"topic": "billing", "tags": [], "severity": 1, "urgent": True}, 70)))
    assert SPACE.values(read.category)["tags"] == []
    assert read.confidence == 0.7


GOOD = answer({"topic": "billing", "tags": ["angry"], "severity": 2, "urgent": True})


@pytest.mark.parametrize(
    "change",
    [
        {"topic": "Invoice"},
        {"topic": "**billing**"},
        {"severity": "2"},
        {"severity": 2.0},
        {"urgent": "yes"},
        {"urgent": "TRUE"},
        {"tags": ["angry"]},
        {"tags": [{"label": "ANGRY", "percent": 90}]},
        {"tags": [{"label": "angry", "percent": "90%"}]},
        {"tags": [{"label": "angry", "percent": 90}] * 2},
        {"topic_percent": "90 %"},
    ],
)
def test_an_unambiguous_other_spelling_is_accepted(change: dict[str, Any]) -> None:
    read = PARSER.parse(json.dumps(GOOD | change))
    assert read.category == "topic=billing; tags=angry; severity=2; urgent=yes"
    assert read.repaired


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"topic": "scam"}, "'scam' is not one of the labels"),
        ({"topic": ["billing"]}, "topic"),
        ({"tags": "angry"}, "not a list of labels"),
        ({"tags": [{"label": "scam", "percent": 9}]}, "not one of the labels"),
        ({"tags": [{"label": "angry"}]}, "tags: percent"),
        ({"tags": [{"label": "angry", "percent": 9}, {"label": "angry", "percent": 8}]}, "twice"),
        ({"tags": [None]}, "not a label with its percentage"),
        ({"severity": 6}, "not a number from 1 to 5"),
        ({"severity": 2.5}, "not a number from 1 to 5"),
        ({"severity": True}, "not a number from 1 to 5"),
        ({"urgent": 1}, "neither true nor false"),
        ({"urgent": None}, "neither true nor false"),
        ({"urgent_percent": 101}, "urgent_percent"),
        ({"urgent_percent": None}, "urgent_percent"),
    ],
)
def test_an_invalid_field_value_is_refused_with_the_reason(change: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidAnswerError, match=why):
        PARSER.parse(json.dumps(GOOD | change))


@pytest.mark.parametrize("missing", ["topic", "tags", "severity", "urgent", "topic_percent"])
def test_every_field_must_be_there(missing: str) -> None:
    with pytest.raises(InvalidAnswerError, match=missing):
        PARSER.parse(json.dumps({key: value for key, value in GOOD.items() if key != missing}))


@pytest.mark.parametrize(
    ("spelled", "text"),
    [
        ("joy", "joy"),
        ("anger|joy", "joy|anger"),
        ("Anger; JOY", "joy|anger"),
        ("(none)", "(none)"),
        ("joy|scam", None),
        ("", None),
    ],
)
def test_people_may_write_several_labels_in_one_cell(spelled: str, text: str | None) -> None:
    assert EMOTIONS.spelled(spelled) == text


def test_tables_count_each_label() -> None:
    assert EMOTIONS.parts_of("joy|anger") == ("joy", "anger")
    assert EMOTIONS.parts == ("joy", "anger", "(none)")
    assert SPACE.parts_of("topic=billing; tags=(none); severity=2; urgent=no") == (
        "topic=billing",
        "tags=(none)",
        "severity=2",
        "urgent=no",
    )


@given(st.text())
def test_any_text_is_a_value_or_none(text: str) -> None:
    for space in (SPACE, EMOTIONS, TASK.label_space):
        spelled = space.spelled(text)
        assert spelled is None or (spelled in space and space.spelled(spelled) == spelled)
