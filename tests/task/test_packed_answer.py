"""Parsing answers about several documents: damage affects only the documents concerned."""

import json
from contextlib import suppress

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from llmbatch.task.answer import AnswerParser
from llmbatch.task.fields import Label
from llmbatch.task.kind import InvalidAnswerError
from llmbatch.task.label_space import plain_space
from llmbatch.task.logprobs import TokenLogprob, label_odds
from llmbatch.task.packed_answer import PackedAnswerParser, tokens_of_part

LABELS = ("fraud", "fraud_high", "other")
PARSER = PackedAnswerParser(AnswerParser(plain_space([Label(name=name) for name in LABELS])))

answers = st.lists(st.tuples(st.sampled_from(LABELS), st.integers(0, 100)), min_size=2, max_size=12)


def members(answered: list[tuple[str, int]]) -> list[str]:
    return [
        f'"{n}":{{"category":"{label}","percent":{percent}}}' for n, (label, percent) in enumerate(answered, start=1)
    ]


def content(parts: list[str]) -> str:
    return "{" + ",".join(parts) + "}"


def labels(text: str, rows: int) -> list[str | None]:
    return [None if part.answer is None else part.answer.category for part in PARSER.parse(text, rows).parts]


@given(answers, st.randoms())
def test_each_document_gets_the_answer_with_its_number_in_any_order(answered: list[tuple[str, int]], random) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    shuffled = random.sample(members(answered), len(answered))
    packed = PARSER.parse(content(shuffled), len(answered))
    assert [(part.answer.category, part.answer.confidence) for part in packed.parts if part.answer] == [
        (label, percent / 100) for label, percent in answered
    ]


@pytest.mark.parametrize("around", ["```json\n{}\n```", "Sure: {} Done.", "<think>1 is {{x}}?</think>{}", " {}\n"])
def test_surrounding_text_is_ignored(around: str) -> None:
    text = around.replace("{}", content(members([("fraud", 90), ("other", 50)]))).replace("{{x}}", "{x}")
    assert labels(text, 2) == ["fraud", "other"]


@given(answers, st.data())
def test_a_truncated_answer_keeps_its_complete_parts(answered: list[tuple[str, int]], data: st.DataObject) -> None:
    parts = members(answered)
    end = data.draw(st.integers(1, len(content(parts)) - 1))
    whole = sum(len(content(parts[:n])) - 1 <= end for n in range(1, len(parts) + 1))
    found = labels(content(parts)[:end], len(answered))
    assert found == [label for label, _ in answered[:whole]] + [None] * (len(answered) - whole)


@given(answers, st.data())
def test_damage_affects_no_earlier_document_and_mixes_up_no_labels(
    answered: list[tuple[str, int]], data: st.DataObject
) -> None:
    parts = members(answered)
    place = data.draw(st.integers(0, len(answered) - 1))
    part = parts[place]
    at = data.draw(st.integers(len(f'"{place + 1}":'), len(part) - 1))
    damage = data.draw(st.sampled_from(["", "x", '"', "{", "}", "\x00", "\\", ","]))
    parts[place] = part[:at] + damage + part[at + 1 :]
    assume(parts[place] != part)
    try:
        found = labels(content(parts), len(answered))
    except InvalidAnswerError:
        return  # the whole answer is refused
    for n, (label, _) in enumerate(answered):
        if n < place:
            assert found[n] == label
        elif n > place:
            assert found[n] in (label, None)


@pytest.mark.parametrize("kind", ["missing", "doubled", "foreign", "invented", "no_confidence", "no_object", "null"])
@given(answered=answers, data=st.data())
def test_a_bad_part_affects_only_its_document(kind: str, answered: list[tuple[str, int]], data: st.DataObject) -> None:
    parts, place = members(answered), data.draw(st.integers(0, len(answered) - 1))
    number = place + 1
    bad = {
        "missing": [],
        "doubled": [parts[place], parts[place]],
        "foreign": [parts[place].replace(f'"{number}"', '"document"', 1)],
        "invented": [f'"{number}":{{"category":"frau","percent":9}}'],
        "no_confidence": [f'"{number}":{{"category":"fraud"}}'],
        "no_object": [f'"{number}":"fraud"'],
        "null": [f'"{number}":null'],
    }[kind]
    found = labels(content([*parts[:place], *bad, *parts[place + 1 :]]), len(answered))
    assert found == [None if n == place else label for n, (label, _) in enumerate(answered)]


@given(answers, st.sampled_from([-1, 1, 100]))
def test_documents_with_wrong_numbers_get_no_label(answered: list[tuple[str, int]], shift: int) -> None:
    shifted = {str(n + shift): {"category": label, "percent": 9} for n, (label, _) in enumerate(answered, start=1)}
    with pytest.raises(InvalidAnswerError, match="numbered differently"):
        PARSER.parse(json.dumps(shifted), len(answered))


@pytest.mark.parametrize("text", ["", "no", "[]", '{"1":', "{}", '{"answers":[]}', "<think>so", "{" * 3000])
def test_an_invalid_answer_gives_no_label(text: str) -> None:
    with suppress(InvalidAnswerError):
        assert labels(text, 3) == [None, None, None]


@given(st.text(max_size=300))
def test_any_text_is_parsed_or_an_invalid_answer(text: str) -> None:
    with suppress(InvalidAnswerError):
        assert len(PARSER.parse(text, 3).parts) == 3


@given(answers, st.data())
def test_a_parts_tokens_measure_its_own_label(answered: list[tuple[str, int]], data: st.DataObject) -> None:
    text = content(members(answered))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(text) - 1), max_size=60)))
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    tokens = [TokenLogprob(piece.encode(), -0.1) for piece in ("```json", *pieces, "```")]
    for part, (label, _) in zip(PARSER.parse(text, len(answered)).parts, answered, strict=True):
        own = tokens_of_part(tokens, text, part)
        assert own is not None
        odds = label_odds(own, LABELS, label)
        # A token as long as two parts contains two labels: then nothing is measured.
        assert odds is None or odds.probability > 0
    assert tokens_of_part(tokens[2:], text, PARSER.parse(text, len(answered)).parts[0]) is None
