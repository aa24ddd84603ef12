"""The log-probabilities of an answer's tokens, as if it had been drawn token by token among all labels' answers.

Every label's answer is a way through the tokens, as probable as the label. A token is then as probable as the ways that
go on with it, among those that came as far; and its alternatives are the tokens with which the others go on. What all
ways share has a log-probability of 0.
"""

import math
from collections import defaultdict
from typing import Any

from llmbatch.simulate.answer import Answer, Verdict, as_json
from llmbatch.tokens.o200k import token_bytes

_WAYS = 40
"""The most probable labels, which are looked at; the rest of 77 shares less than a thousandth."""

_Way = tuple[tuple[bytes, ...], float]


def answer_logprobs(answer: Answer, verdict: Verdict, top: int) -> dict[str, Any] | None:
    """The `logprobs` of a choice in OpenAI's shape; None without content, as OpenAI has it.

    Args:
        answer: as it is sent, perhaps with a fault in it.
        verdict: how probable each label is.
        top: how many likeliest tokens to tell at each place.
    """
    if not answer.content:
        return None
    ways = _ways(answer.content, verdict)
    told = []
    for place, token in enumerate(token_bytes(answer.content)):
        mass: defaultdict[bytes, float] = defaultdict(float)
        for tokens, odds in ways:
            mass[tokens[place] if place < len(tokens) else b""] += odds
        total = sum(mass.values())
        likeliest = sorted(mass.items(), key=lambda item: (-item[1], item[0]))[:top]
        logprob = _log(mass[token] / total)
        told.append(_token(token, logprob) | {"top_logprobs": [_token(t, _log(m / total)) for t, m in likeliest if t]})
        ways = [way for way in ways if place < len(way[0]) and way[0][place] == token]
    return {"content": told, "refusal": None}


def _ways(content: str, verdict: Verdict) -> list[_Way]:
    """Each label's answer in tokens, spelled like the one that is sent; that one is always among them."""
    field = as_json({verdict.label_key: verdict.label})[1:-1]
    sent = tuple(token_bytes(content))
    if content.count(field) != 1:
        return [(sent, 1.0)]
    ranked = sorted(zip(verdict.odds, verdict.labels, strict=True), reverse=True)[:_WAYS]
    others = [
        (tuple(token_bytes(content.replace(field, as_json({verdict.label_key: label})[1:-1]))), odds)
        for odds, label in ranked
        if label != verdict.label
    ]
    return [(sent, max(verdict.odds)), *others]


def _token(token: bytes, logprob: float) -> dict[str, Any]:
    return {"token": token.decode("utf-8", "replace"), "logprob": logprob, "bytes": list(token)}


def _log(share: float) -> float:
    return min(math.log(share), 0.0)
