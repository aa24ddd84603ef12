"""Only a label of the task gets through."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.parser import Answer, AnswerParser, InvalidAnswerError
from llmbatch.task.model import Label, Task

TASK = Task(
    name="mail",
    labels=(Label(name="fraud"), Label(name="fraud_high", aliases=("severe fraud",)), Label(name="no")),
)
PARSER = AnswerParser(TASK)


def content(category: Any = "fraud", confidence: Any = 0.9, **more: Any) -> str:
    return json.dumps({"category": category, "confidence": confidence, **more})


def test_a_clean_answer_is_taken_as_it_stands() -> None:
    assert PARSER.parse(content()) == Answer("fraud", 0.9, None, repaired=False)


@pytest.mark.parametrize("wrapper", ["```json\n{}\n```", "Sure! Here it is: {} Hope it helps.", "[{}]", "  {}\n\n"])
def test_wrapper_text_is_taken_off(wrapper: str) -> None:
    answer = PARSER.parse(wrapper.replace("{}", content("no", 1)))
    assert ("no", 1.0) == (answer.category, answer.confidence)
    assert answer.repaired == (wrapper.strip() != "{}")


@pytest.mark.parametrize("spelling", ["FRAUD", " fraud\n", "Fraud"])
def test_another_case_or_surrounding_space_counts_as_the_label(spelling: str) -> None:
    assert PARSER.parse(content(spelling)) == Answer("fraud", 0.9, None, repaired=True)


def test_a_listed_alias_counts_as_its_label() -> None:
    assert PARSER.parse(content("Severe Fraud")).category == "fraud_high"


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (content("scam"), "'scam' is not one of the labels"),
        (content("fraud."), "'fraud.' is not one of the labels"),
        (content(""), "'' is not one of the labels"),
        (content(None), "category"),
        (content(["fraud", "no"]), "category"),
        (content(confidence=1.01), "confidence"),
        (content(confidence=-0.1), "confidence"),
        (content(confidence="0.9"), "confidence"),
        (content(confidence=True), "confidence"),
        (content(confidence=95), "confidence"),
        ('{"category": "fraud"}', "no confidence"),
        ('{"category": "fraud", "percent": 101}', "percent"),
        ('{"category": "fraud", "percent": -1}', "percent"),
        ('{"category": "fraud", "percent": 0.9}', "percent"),
        ('{"category": "fraud", "percent": "90"}', "percent"),
        ('{"category": "fraud", "percent": true}', "percent"),
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
def test_what_is_no_answer_is_refused_with_the_reason(raw: str, why: str) -> None:
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
    assert answer.category in TASK.label_names


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
    assert answer.category in TASK.label_names
    assert 0 <= answer.confidence <= 1


@pytest.mark.parametrize(("percent", "confidence"), [(0, 0.0), (1, 0.01), (57, 0.57), (100, 1.0)])
def test_a_percentage_is_a_confidence(percent: int, confidence: float) -> None:
    assert PARSER.parse(json.dumps({"category": "no", "percent": percent})).confidence == confidence
