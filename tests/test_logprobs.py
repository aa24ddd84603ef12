"""The label's probability from its tokens' log-probabilities."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.provider.completion import decode_logprobs
from llmbatch.simulate.answer import Answer, Verdict, as_json
from llmbatch.simulate.likelihood import answer_logprobs
from llmbatch.task.logprobs import LabelOdds, TokenLogprob, label_odds

LABELS = ("card_arrival", "card_linking", "card", "refund")


def token(text: str, share: float = 1.0, **others: float) -> TokenLogprob:
    top = ((text.encode(), math.log(share)), *((other.encode(), math.log(p)) for other, p in others.items()))
    return TokenLogprob(text.encode(), math.log(share), top)


def test_alternatives_are_followed_to_the_labels_that_they_lead_to() -> None:
    tokens = [
        token('{"'),
        token("category"),
        token('":"'),
        token("card", 0.7, ref=0.2, Maybe=0.1),
        token("_arr", 0.6, **{"_link": 0.1, '","': 0.3}),
        token("ival"),
        token('","confidence":0.9}'),
    ]
    odds = label_odds(tokens, LABELS, "card_arrival")
    assert odds is not None
    among = 0.7 * 0.6 + 0.7 * 0.1 + 0.7 * 0.3 + 0.2
    assert odds.probability == pytest.approx(0.42 / among, abs=1e-6), "alternatives that are no label are left out"
    assert odds.runner_up == "card", "its share is 0.21, refund's 0.2"


def test_a_token_that_may_lead_to_several_labels_names_none_of_them() -> None:
    tokens = [token('{"category":"'), token("refund", 0.6, card=0.4), token('"}')]
    odds = label_odds(tokens, LABELS, "refund")
    assert odds is not None
    assert odds.probability == pytest.approx(0.6)
    assert odds.runner_up is None


def test_another_tokenization_of_the_same_label_is_the_same_label() -> None:
    tokens = [token('{"category": "'), token("refund", 0.5, **{'refund"': 0.2, "re": 0.1, "card_l": 0.2}), token('"}')]
    odds = label_odds(tokens, LABELS, "refund")
    assert odds is not None
    assert odds.probability == pytest.approx(0.8)
    assert odds.runner_up == "card_linking"


def spelled(first: str, share: float, **others: float) -> list[TokenLogprob]:
    return [token('{"category":"'), token(first, share, **others), token('","confidence":0.9}')]


@pytest.mark.parametrize(
    ("tokens", "probability"),
    [
        (spelled("Spam", 0.6, Ham=0.4), 0.6),
        (spelled("Spam", 0.6, spam=0.1, HAM=0.3), 0.7),
        (spelled("junk", 0.5, spam=0.3, ham=0.2), 0.8),
        (spelled("spam", 0.5, Ju=0.2, h=0.3), 0.7),
        (spelled(" spam", 0.6, **{" ham": 0.4}), 0.6),
        (spelled("spam", 0.6, **{"caf\\u00e9": 0.4}), 0.6),
        (spelled("spam", 0.6, **{"caf\\u00": 0.3, "caf\\n": 0.1}), 0.6 / 0.9),
        (spelled("spam", 0.6, **{"\\u0068am": 0.4}), 0.6),
        (spelled("spam", 0.6, **{"\\ud83d": 0.2, "\\ud83d\\ude00": 0.1, "😀": 0.1}), 0.6),
        (spelled("spam", 0.6, tofu=0.4), 1.0),
        ([token('{"category":', 0.5, **{'{"c": ': 0.5}), token('"spam', 0.6, **{'"Ham"': 0.4}), token('"}')], 0.6),
        ([token('{"category"'), token(':"', 0.5, **{': "': 0.5}), token("spam", 0.6, ham=0.4), token('"}')], 0.6),
    ],
)
def test_every_accepted_spelling_counts_towards_its_label(tokens: list[TokenLogprob], probability: float) -> None:
    odds = label_odds(tokens, ("spam", "ham", "café", "😀"), "spam", {"junk": "spam"})
    assert odds is not None
    assert odds.probability == pytest.approx(probability, abs=1e-6)


def test_an_escaped_answer_is_the_same_label_as_an_unescaped_one() -> None:
    tokens = [token('{"category":"'), token("caf"), token("\\u00", 0.5, é=0.2, eteria=0.3), token('e9"}')]
    odds = label_odds(tokens, ("café", "cafeteria"), "café")
    assert odds is not None
    assert odds == LabelOdds(0.7, "cafeteria")


def test_a_character_split_across_tokens_leads_to_its_label() -> None:
    first = TokenLogprob(b"spam", math.log(0.6), ((b"spam", math.log(0.6)), (b"caf\xc3", math.log(0.4))))
    odds = label_odds([token('{"category":"'), first, token('"}')], ("spam", "café"), "spam")
    assert odds is not None
    assert odds == LabelOdds(0.6, "café")


def test_labels_that_differ_only_in_case_keep_their_shares() -> None:
    odds = label_odds(spelled("us", 0.7, US=0.3), ("us", "US"), "us")
    assert odds is not None
    assert odds == LabelOdds(0.7, "US")


def test_a_label_that_is_a_prefix_of_all_others_leaves_them_their_shares() -> None:
    tokens = [token('{"category":"'), token("bug", 0.7, bug_fix=0.3), token('"}', 0.8, _report=0.2)]
    odds = label_odds(tokens, ("bug", "bug_fix", "bug_report"), "bug")
    assert odds is not None
    assert odds == LabelOdds(0.56, "bug_fix")
    tokens = [token('{"category":"'), token("bug_fix", 0.6, bug=0.4), token('"}')]
    odds = label_odds(tokens, ("bug", "bug_fix"), "bug_fix")
    assert odds is not None
    assert odds == LabelOdds(0.6, "bug")


@pytest.mark.parametrize("text", ["", "{}", '{"category": "card', '{"category":"a"}{"category":"a"}', "no JSON"])
def test_an_answer_without_exactly_one_label_has_no_odds(text: str) -> None:
    assert label_odds([token(text)], LABELS, "card") is None


@given(
    st.lists(
        # Signs at a label's beginning are cut into one token with the quote before it: that token fits every label.
        st.tuples(st.sampled_from("abéżę漢字"), st.text(alphabet="abé_ 'żę\"\\漢字", max_size=7)).map("".join),
        min_size=2,
        max_size=6,
        unique=True,
    ),
    st.lists(st.floats(0.01, 1), min_size=6, max_size=6),
    st.booleans(),
)
def test_the_offline_endpoints_odds_are_read_back(labels: list[str], weights: list[float], reasoning: bool) -> None:  # noqa: FBT001
    """With all alternatives reported, the label's probability is the one that the answer was drawn with."""
    odds = [weight / sum(weights[: len(labels)]) for weight in weights[: len(labels)]]
    best = odds.index(max(odds))
    fields: dict[str, object] = {"reasoning": 'It says "category": "a".'} if reasoning else {}
    fields |= {"category": labels[best], "confidence": 0.5}
    verdict = Verdict(fields, "category", "confidence", tuple(labels), tuple(odds))
    raw = answer_logprobs(Answer("m", as_json(fields)), [(verdict, 0, len(as_json(fields)))], 20)
    tokens = decode_logprobs(raw)
    assert tokens is not None
    assert b"".join(one.token for one in tokens).decode() == as_json(fields)
    found = label_odds(tokens, labels, labels[best])
    assert found is not None
    assert found.probability == pytest.approx(odds[best], abs=1e-5)
    assert found.runner_up in (None, *labels)
    assert found.runner_up != labels[best]


@pytest.mark.parametrize(
    "broken",
    [None, [], {}, {"content": None}, {"content": []}, {"content": ["x"]}, {"content": [{"token": "a"}]},
     {"content": [{"token": "a", "logprob": "much"}]}, {"content": [{"token": "a", "logprob": 0, "bytes": [999]}]},
     {"content": [{"token": "a", "logprob": 0, "top_logprobs": [None]}]}],
)  # fmt: skip
def test_incomplete_log_probabilities_are_ignored(broken: object) -> None:
    assert decode_logprobs(broken) is None


def test_tokens_without_bytes_are_read_by_their_text() -> None:
    (decoded,) = (
        decode_logprobs({"content": [{"token": "é", "logprob": -0.5, "bytes": None, "top_logprobs": []}]}) or ()
    )
    assert decoded == TokenLogprob("é".encode(), -0.5)


def test_uncertainty_about_a_space_before_the_label_does_not_affect_its_odds() -> None:
    tokens = [
        token('{"category":', 0.9),
        token(' "', 0.5, **{" ": 0.3, '"': 0.2}),
        token("refund", 0.99, card=0.01),
        token('"}'),
    ]
    odds = label_odds(tokens, LABELS, "refund")
    assert odds is not None
    assert odds.probability == pytest.approx(0.99, abs=1e-6)
    assert odds.mass == pytest.approx(1.0)


def test_a_prefix_shared_by_all_labels_does_not_affect_their_odds() -> None:
    tokens = [token('{"category":"'), token("card_", 0.6, ca=0.4), token("linking", 0.9, arrival=0.1), token('"}')]
    odds = label_odds(tokens, ("card_arrival", "card_linking"), "card_linking")
    assert odds is not None
    assert odds.probability == pytest.approx(0.9, abs=1e-6)


def test_labels_forced_by_a_grammar_are_not_certain() -> None:
    tokens = [token('{"category":"'), token("refund", 0.001, Sure=0.9), token('"}')]
    odds = label_odds(tokens, LABELS, "refund")
    assert odds is not None
    assert (odds.probability, odds.mass) == (0.001, 0.001)


def test_a_label_mentioned_in_the_thinking_is_not_the_answers() -> None:
    tokens = [
        token('<think>{"category":"card"}</think>'),
        token('{"category":"'),
        token("refund", 0.8, card=0.2),
        token('"}'),
    ]
    odds = label_odds(tokens, LABELS, "refund")
    assert odds is not None
    assert odds.probability == pytest.approx(0.8)
