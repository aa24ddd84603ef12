"""The probability of true, false and numbers in an answer, from its tokens' log-probabilities."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.provider.completion import decode_logprobs
from llmbatch.simulate.answer import Answer, Choice, Verdict, as_json
from llmbatch.simulate.likelihood import answer_logprobs
from llmbatch.task.decision_odds import AnswerTokens
from llmbatch.task.load import parse_task
from llmbatch.task.logprobs import TokenLogprob
from llmbatch.task.measured_value import measured_value
from tests.test_logprobs import token

TASK = parse_task(
    """
name = "mail"
[[fields]]
name = "topic"
labels = [{ name = "billing" }, { name = "technical" }]
[[fields]]
name = "tags"
kind = "multi"
labels = [{ name = "angry" }, { name = "legal } ment" }, { name = "café" }]
[[fields]]
name = "severity"
kind = "number"
minimum = 1
maximum = 20
[[fields]]
name = "urgent"
kind = "yes-no"
""",
    "mail.toml",
)
SPACE = TASK.label_space


@pytest.mark.parametrize(
    ("tokens", "true"),
    [
        ([token('{"urgent":'), token("true", 0.7, false=0.2, maybe=0.1)], 7 / 9),
        ([token('{"urgent'), token('":true', 0.7, **{'":false': 0.2, '": ': 0.1})], 7 / 9),
        ([token('{"urgent'), token('":', 0.9, **{'": ': 0.1}), token("t", 0.6, f=0.2, true=0.2), token("rue")], 0.8),
        ([token('{"urgent": '), token("false", 0.9, true=0.05, nope=0.05)], 0.05 / 0.95),
        ([token('{"urgent":'), token(" true", 0.5, true=0.25, **{" false": 0.25})], 0.75),
        ([token('{"urg'), token('ent":true', 0.6, **{'ent":false': 0.3, "gle": 0.1})], 2 / 3),
        ([token("<think>"), token('"urgent":false'), token("</think>"), token('{"urgent":'), token("true", 1.0)], 1.0),
        ([token('{"urgent":'), token("true", 0.2, maybe=0.6, false=0.1)], 0.2),
    ],
)
def test_a_decision_is_made_at_the_first_token_of_its_value(tokens: list[TokenLogprob], true: float) -> None:
    decision = AnswerTokens([*tokens, token("}")]).decision("urgent")
    assert decision is not None
    assert decision.true == pytest.approx(true, abs=1e-5)


@pytest.mark.parametrize("content", ['{"other":true}', '{"urgent":true,"x":{"urgent":false}}', '{"urgent":"yes"}', ""])
def test_a_value_that_does_not_occur_exactly_once_is_not_measured(content: str) -> None:
    tokens = AnswerTokens([token(content)] if content else [])
    assert tokens.decision("urgent") is None
    assert tokens.number("urgent") is None
    assert not tokens.decisions("urgent")


def answer_of(tags: dict[str, bool], topic: str = "billing", severity: int = 3, *, urgent: bool = True) -> str:
    values = {"topic": topic, "tags": tags, "severity": severity, "urgent": urgent}
    return json.dumps({**values, **{f"{name}_percent": 80 for name in values}}, separators=(",", ":"))


@given(
    st.lists(st.tuples(st.booleans(), st.floats(0.5, 0.999)), min_size=3, max_size=3),
    st.floats(0.5, 0.999),
    st.floats(0.5, 0.999),
)
def test_each_label_is_measured_and_the_least_certain_decides(
    decided: list[tuple[bool, float]], topic: float, urgent: float
) -> None:
    names = ["angry", "legal } ment", "café"]
    tags = {name: is_right for name, (is_right, _) in zip(names, decided, strict=True)}
    choices = [
        Choice(as_json({name: is_right})[1:-1], odds, ((as_json({name: not is_right})[1:-1], 1 - odds),))
        for name, (is_right, odds) in zip(names, decided, strict=True)
    ]
    choices.append(Choice('"urgent":true', urgent, (('"urgent":false', 1 - urgent),)))
    content = json.dumps(json.loads(answer_of(tags)), ensure_ascii=False, separators=(",", ":"))
    verdict = Verdict({"topic": "billing"}, "topic", None, ("billing", "technical"), (topic, 1 - topic), tuple(choices))
    reported = answer_logprobs(Answer("m", content), [(verdict, 0, len(content))], 5)
    assert reported is not None
    tokens = decode_logprobs(reported)
    text = SPACE.read(json.loads(content)).text
    measured = measured_value(tokens or (), text, SPACE)
    assert measured is not None
    assert measured.probabilities is not None
    given_odds = {name: odds for name, (is_right, odds) in zip(names, decided, strict=True) if is_right}
    for name, odds in given_odds.items():
        assert measured.probabilities[f"tags={name}"] == pytest.approx(odds, abs=1e-4)
    least_tag = min(odds for _, odds in decided)
    assert measured.probabilities["tags"] == pytest.approx(least_tag, abs=1e-4)
    assert measured.probabilities["topic"] == pytest.approx(topic, abs=1e-4)
    assert measured.probabilities["urgent"] == pytest.approx(urgent, abs=1e-4)
    assert measured.probability == pytest.approx(min(least_tag, topic, urgent), abs=1e-4)


def test_a_label_that_was_nearly_given_is_the_runner_up() -> None:
    tokens = [
        token('{"topic":"billing","tags":{"angry":'),
        token("true", 0.9, false=0.1),
        token(',"legal } ment":'),
        token("false", 0.55, true=0.45),
        token(',"caf\\u00e9":'),
        token("false", 0.8, true=0.2),
        token('},"severity":'),
        token("1", 0.9),
        token("2", 0.9),
        token(',"urgent":true}'),
    ]
    measured = measured_value(tokens, "topic=billing; tags=angry; severity=12; urgent=yes", SPACE)
    assert measured is not None
    assert (measured.probability, measured.runner_up) == (0.55, "tags=legal } ment")
    assert measured.probabilities == {
        "topic": 1.0, "tags": 0.55, "tags=angry": 0.9, "severity": pytest.approx(0.81), "urgent": 1.0,
    }  # fmt: skip
    assert math.isclose(measured.mass, 1.0)


def test_an_answer_that_lacks_a_decision_is_not_measured() -> None:
    tokens = [token('{"topic":"billing","tags":{"angry":true},"severity":1,"urgent":true}')]
    assert measured_value(tokens, "topic=billing; tags=angry; severity=1; urgent=yes", SPACE) is None
