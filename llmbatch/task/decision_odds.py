"""The probabilities of true and false in an answer, from their tokens' log-probabilities; and of a number.

The counterpart of `logprobs` for values other than label names: each label of a multi-label field is a decision,
requested as true or false. A decision is made at the first token that begins one word or the other.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from llmbatch.task.logprobs import LEAST_MASS, TokenLogprob, answer_start

_NEXT_DECISION = re.compile(rb'\s*,?\s*"((?:[^"\\]|\\.)*)"\s*:\s*(true|false)')
_BEFORE_WORD = re.compile(rb'"\s*:?\s*')
_WORDS = ((True, b"true"), (False, b"false"))


@dataclass(frozen=True, slots=True)
class Decision:
    """The probabilities of true and false, relative to each other."""

    true: float
    false: float
    mass: float
    """The probability of both together (0..1). If it is small, the model would have said something else, and the two
    are not normalised."""


class AnswerTokens:
    """An answer's tokens, and its bytes."""

    def __init__(self, tokens: Sequence[TokenLogprob]) -> None:
        self._tokens = tokens
        self._content = b"".join(token.token for token in tokens)
        self._begin = answer_start(self._content)
        self._starts = [0]
        for token in tokens:
            self._starts.append(self._starts[-1] + len(token.token))

    def decision(self, key: str) -> Decision | None:
        """The probabilities of a key's true and false; None unless the key occurs exactly once with one of them."""
        found = self._found(key, "(true|false)")
        return None if found is None else self._odds(found.start() + len(key) + 1, found.start(1))

    def decisions(self, key: str) -> Mapping[str, Decision]:
        """Like `decision`, for each key of the object under `key`; empty unless `key` occurs exactly once."""
        found = self._found(key, r"\{")
        return {} if found is None else dict(self._inside(found.end()))

    def number(self, key: str) -> float | None:
        """The probability of the digits of a key's number; None unless the key occurs exactly once."""
        found = self._found(key, "(-?[0-9][0-9.eE+-]*)")
        if found is None:
            return None
        inside = [
            token.logprob
            for token, start in zip(self._tokens, self._starts, strict=False)
            if start < found.end(1) and start + len(token.token) > found.start(1)
        ]
        return round(min(math.exp(sum(inside)), 1.0), 6)

    def _found(self, key: str, value: str) -> re.Match[bytes] | None:
        """The position of a key with such a value; None unless it occurs exactly once."""
        found = list(re.compile(rf'"{re.escape(key)}"\s*:\s*{value}'.encode()).finditer(self._content, self._begin))
        return found[0] if len(found) == 1 else None

    def _inside(self, place: int) -> Iterator[tuple[str, Decision]]:
        while (found := _NEXT_DECISION.match(self._content, place)) is not None:
            place = found.end()
            if (odds := self._odds(found.end(1), found.start(2))) is not None:
                yield json.loads(b'"' + found[1] + b'"'), odds

    def _odds(self, quote: int, word: int) -> Decision | None:
        """The odds at the token in which the word begins. `quote` is the one that ends the key before it."""
        at = next(n for n, token in enumerate(self._tokens) if self._starts[n] + len(token.token) > word)
        token, start = self._tokens[at], self._starts[at]
        shares = {True: 0.0, False: 0.0}
        for other, logprob in {token.token: token.logprob, **dict(token.top)}.items():
            whole = self._content[min(quote, start) : start] + other
            if self._content[min(quote, start) : quote] == whole[: quote - min(quote, start)]:
                word_begun = _begun(whole[quote - min(quote, start) :])
                if word_begun is not None:
                    shares[word_begun] += math.exp(logprob)
        both = shares[True] + shares[False]
        if not both:
            return None
        among = both if both >= LEAST_MASS else 1.0
        return Decision(round(shares[True] / among, 6), round(shares[False] / among, 6), round(min(both, 1.0), 6))


def _begun(text: bytes) -> bool | None:
    """Which word follows a key's closing quote; None if it is neither, or has not begun."""
    before = _BEFORE_WORD.match(text)
    word = b"" if before is None else text[before.end() :].lower()
    if not word:
        return None
    return next((said for said, whole in _WORDS if whole.startswith(word) or word.startswith(whole)), None)
