"""The log-probabilities of an answer's tokens, as if it had been drawn token by token among all labels' answers.

Every label's answer is a path through the tokens with the label's probability. The probability of a token is that of
the paths that continue with it, among those that reach its position; its alternatives are the tokens with which the
other paths continue. Tokens that all paths share have a log-probability of 0.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from llmbatch.simulate.answer import Answer, Choice, Verdict, as_json
from llmbatch.tokens.o200k import token_bytes

_WAYS = 40
"""How many of the most probable labels are considered; the rest of 77 share less than a thousandth."""

_NEVER = 1e-12

_Way = tuple[tuple[bytes, ...], float]


def answer_logprobs(answer: Answer, verdicts: Iterable[tuple[Verdict, int, int]], top: int) -> dict[str, Any] | None:
    """The `logprobs` of a choice in OpenAI's form; None without content, as in OpenAI's API.

    Args:
        answer: as it is sent, perhaps with a fault in it.
        verdicts: the probabilities of labels, each with the position of the label in the answer, in characters.
        top: how many of the most likely tokens to return at each position.
    """
    if not answer.content:
        return None
    sent = tuple(token_bytes(answer.content))
    alternatives: dict[int, _Place] = {}
    for verdict, start, end in verdicts:
        for choice in (_label(verdict), *verdict.choices):
            alternatives |= _places(sent, _ways(answer.content, sent, choice, start, end), top)
    certain = [_Place(0.0, ((token, 0.0),)[:top]) for token in sent]
    stated = [alternatives.get(n, place) for n, place in enumerate(certain)]
    return {
        "content": [
            _token(token, place.logprob) | {"top_logprobs": [_token(other, log) for other, log in place.likeliest]}
            for token, place in zip(sent, stated, strict=True)
        ],
        "refusal": None,
    }


@dataclass(frozen=True, slots=True)
class _Place:
    """A token's log-probability, and the most likely tokens at that position with theirs."""

    logprob: float
    likeliest: tuple[tuple[bytes, float], ...]


def _places(sent: tuple[bytes, ...], ways: Sequence[_Way], top: int) -> dict[int, _Place]:
    """The positions at which the answer could have continued differently."""
    found = {}
    for place, token in enumerate(sent):
        if len(ways) == 1:
            break
        mass: defaultdict[bytes, float] = defaultdict(float)
        for tokens, odds in ways:
            mass[tokens[place] if place < len(tokens) else b""] += odds
        if len(mass) > 1:
            total = sum(mass.values())
            likeliest = sorted(mass.items(), key=lambda item: (-item[1], item[0]))[:top]
            others = tuple((other, _log(share / total)) for other, share in likeliest if other)
            found[place] = _Place(_log(mass[token] / total), others)
        ways = [way for way in ways if place < len(way[0]) and way[0][place] == token]
    return found


def _label(verdict: Verdict) -> Choice:
    """The label, spelled as it is sent, and the most probable others."""
    ranked = sorted(zip(verdict.odds, verdict.labels, strict=True), reverse=True)[:_WAYS]
    others = [(label, odds) for odds, label in ranked if label != verdict.label]
    return Choice(
        as_json({verdict.label_key: verdict.label})[1:-1],
        max(verdict.odds),
        tuple((as_json({verdict.label_key: label})[1:-1], odds) for label, odds in others),
    )


def _ways(content: str, sent: tuple[bytes, ...], choice: Choice, start: int, end: int) -> list[_Way]:
    """The answer with each alternative at that position, in tokens; the one that is sent is always included."""
    before, part, behind = content[:start], content[start:end], content[end:]
    if part.count(choice.said) != 1:
        return [(sent, 1.0)]
    others = [
        (tuple(token_bytes(before + part.replace(choice.said, said) + behind)), odds) for said, odds in choice.others
    ]
    return [(sent, max(choice.odds, _NEVER)), *others]


def _token(token: bytes, logprob: float) -> dict[str, Any]:
    return {"token": token.decode("utf-8", "replace"), "logprob": logprob, "bytes": list(token)}


def _log(share: float) -> float:
    return min(math.log(max(share, _NEVER)), 0.0)
