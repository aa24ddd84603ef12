"""Only a label of the task is accepted."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.task.answer import Answer, AnswerParser
from llmbatch.task.fields import Label
from llmbatch.task.kind import InvalidAnswerError
from llmbatch.task.label_space import plain_space
from llmbatch.task.model import Task

TASK = Task(
    name="mail",
    labels=(Label(name="fraud"), Label(name="fraud_high", aliases=("severe fraud",)), Label(name="no")),
)
PARSER = AnswerParser(TASK.label_space)


def content(category: Any = "fraud", confidence: Any = 0.9, **more: Any) -> str:
    return json.dumps({"category": category, "confidence": confidence, **more})


def test_a_clean_answer_is_accepted_unchanged() -> None:
    assert PARSER.parse(content()) == Answer("fraud", 0.9, None, repaired=False)


@pytest.mark.parametrize("wrapper", ["```json\n{}\n```", "Sure! Here it is: {} Hope it helps.", "[{}]", "  {}\n\n"])
def test_wrapper_text_is_removed(wrapper: str) -> None:
    answer = PARSER.parse(wrapper.replace("{}", content("no", 1)))
    assert ("no", 1.0) == (answer.category, answer.confidence)
    assert answer.repaired == (wrapper.strip() != "{}")


@pytest.mark.parametrize("spelling", ["FRAUD", " fraud\n", "Fraud"])
def test_case_and_surrounding_space_do_not_matter(spelling: str) -> None:
    assert PARSER.parse(content(spelling)) == Answer("fraud", 0.9, None, repaired=True)


def test_a_listed_alias_is_mapped_to_its_label() -> None:
    assert PARSER.parse(content("Severe Fraud")).category == "fraud_high"


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (content("scam"), "'scam' is not one of the labels"),
        (content(""), "'' is not one of the labels"),
        (content(None), "category"),
        (content(["fraud", "no"]), "category"),
        (content(confidence=1.01), "confidence"),
        (content(confidence=-0.1), "confidence"),
        (content(confidence=True), "confidence"),
        (content(confidence=95), "confidence"),
        ('{"category": "fraud"}', "no confidence"),
        ('{"category": "fraud", "percent": 101}', "percent"),
        ('{"category": "fraud", "percent": -1}', "percent"),
        ('{"category": "fraud", "percent": true}', "percent"),
        ('{"category": "fraud", "percent": 1.0}', "not an unambiguous percentage"),
        ('{"category": "fraud", "percent": "0.9%"}', "not an unambiguous percentage"),
        ('{"category": "fraud", "percent": 100.5}', "not an unambiguous percentage"),
        ('{"category": "fraud", "percent": "-3"}', "not an unambiguous percentage"),
        ('{"category": "fraud", "percent": "about 90"}', "not an unambiguous percentage"),
        ('{"category": "fraud", "percent": "9e1"}', "not an unambiguous percentage"),
        ('{"category": "fraud", "percent": "high"}', "not an unambiguous percentage"),
        (content(confidence="1.7"), "confidence"),
        (content(confidence="92"), "confidence"),
        (content("fraud / no"), "is not one of the labels"),
        (content("not fraud"), "is not one of the labels"),
        (content("***"), "is not one of the labels"),
        ('{"category": "fraud", "Category": "no", "confidence": 1}', "twice"),
        (content() + " " + content(confidence=0.8), "more than one"),
        ('{"category": "fraud", "percent": 90, "confidence": 0.1}', "two confidences"),
        ('{"category": "fraud", "confidence": NaN}', "NaN is not JSON"),
        ('{"category": "fraud", "category": "no", "confidence": 1}', "twice"),
        ('so {"category": "fraud", "category": "no", "confidence": 1}', "twice"),
        (content() + content("no"), "more than one"),
        ('{"category": "fraud_high', "broken"),
        ('{"a": {"category": "fraud", "confidence": 0.9}', "broken"),
        ('[{"category": "fraud", "confidence": 0.9}, {"categ', "more than one"),
        ("fraud", "no JSON object"),
        ("null", "no JSON object"),
        ("{" * 5000, "broken"),
        ("[" * 100_000, "characters long"),
    ],
)
def test_an_invalid_answer_is_refused_with_the_reason(raw: str, why: str) -> None:
    with pytest.raises(InvalidAnswerError, match=why.replace("(", r"\(")):
        PARSER.parse(raw)


def test_a_cut_off_label_never_becomes_a_shorter_one() -> None:
    whole = content("fraud_high", 0.9)
    for end in range(len(whole) - 1):
        with pytest.raises(InvalidAnswerError):
            PARSER.parse(whole[:end])


def test_a_rationale_with_a_lone_surrogate_can_be_stored() -> None:
    answer = PARSER.parse('{"reasoning": "\\ud83d", "category": "no", "confidence": 0.5}')
    assert answer.reasoning == "?"


@given(st.text())
def test_any_text_is_a_valid_answer_or_a_refusal(raw: str) -> None:
    try:
        answer = PARSER.parse(raw)
    except InvalidAnswerError:
        return
    assert answer.category in TASK.label_space.parts


json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["category", "confidence", "percent", "x"]), inner),
    max_leaves=10,
)


@given(json_values)
def test_any_json_is_a_valid_answer_or_a_refusal(value: Any) -> None:
    try:
        answer = PARSER.parse(json.dumps(value))
    except InvalidAnswerError:
        return
    assert answer.category in TASK.label_space.parts
    assert 0 <= answer.confidence <= 1


@pytest.mark.parametrize(("percent", "confidence"), [(0, 0.0), (1, 0.01), (57, 0.57), (100, 1.0)])
def test_a_percentage_is_accepted_as_confidence(percent: int, confidence: float) -> None:
    assert PARSER.parse(json.dumps({"category": "no", "percent": percent})).confidence == confidence


@pytest.mark.parametrize(
    ("percent", "confidence"),
    [
        ("92.0", 0.92), ('"92"', 0.92), ('"92%"', 0.92), ('" 92 % "', 0.92), ('"92 percent"', 0.92), ("0.92", 0.92),
        ('"0.92"', 0.92), ("92.5", 0.925), ("0.0", 0.0), ("100.0", 1.0),
        ('"\uff11\uff10\uff10\uff05"', 1.0), ('"1"', 0.01),
    ],
)  # fmt: skip
def test_a_percentage_is_read_in_any_unambiguous_spelling(percent: str, confidence: float) -> None:
    assert PARSER.parse(f'{{"category": "no", "percent": {percent}}}') == Answer("no", confidence, None, repaired=True)


@pytest.mark.parametrize(("spelled", "confidence"), [('"0.92"', 0.92), ('"92%"', 0.92), ('"1"', 1.0)])
def test_a_fraction_is_read_in_any_unambiguous_spelling(spelled: str, confidence: float) -> None:
    assert PARSER.parse(f'{{"category": "no", "confidence": {spelled}}}').confidence == confidence


@pytest.mark.parametrize(
    "spelling",
    [
        "fraud.",
        "**fraud**",
        "**Fraud**.",
        "`fraud`",
        "\u200bfraud\u200b",
        "fr\u200baud",
        "\uff46\uff52\uff41\uff55\uff44",
        "\u201cfraud\u201d",
        "fraud\ufeff",
    ],
)
def test_punctuation_width_and_invisible_characters_do_not_change_the_label(spelling: str) -> None:
    assert PARSER.parse(content(spelling)) == Answer("fraud", 0.9, None, repaired=True)


def test_labels_that_differ_only_in_punctuation_are_distinguished_or_refused() -> None:
    parser = AnswerParser(plain_space((Label(name="a."), Label(name="a"), Label(name="\uff41"))))
    assert parser.parse(content("a.")).category == "a."
    assert parser.parse(content("A")).category == "a"
    with pytest.raises(InvalidAnswerError, match="is not one of the labels"):
        parser.parse(content("**a**"))


@pytest.mark.parametrize("key", ["Category", "CATEGORY", " category ", "**category**"])
def test_keys_are_matched_ignoring_case(key: str) -> None:
    raw = json.dumps({key: "no", "Percent": 90})
    assert PARSER.parse(raw) == Answer("no", 0.9, None, repaired=True)


@pytest.mark.parametrize(
    "raw",
    [content() * 2, f"{content()}\n```json\n{json.dumps(json.loads(content()), indent=2)}\n```", json.dumps(content())],
)
def test_a_repeated_identical_object_is_one_answer(raw: str) -> None:
    assert PARSER.parse(raw) == Answer("fraud", 0.9, None, repaired=True)
