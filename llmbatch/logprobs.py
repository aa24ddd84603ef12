"""How probable the label is by its tokens' log-probabilities: a measured confidence, not one that the model states.

The label's tokens are found in the answer by their bytes. At each of them the model's next-best tokens are known, and
those that would have led to another label of the task are that label's share. What leads to no label at all is no
answer, and is left out; so is what fits every label alike, as a space before them.
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import orjson

from llmbatch.thinking import NoAnswerError, behind_thinking

LEAST_MASS = 0.5
"""Of all labels together, below which it is not the labels that the model was about to choose among."""
_CATEGORY = re.compile(rb'"category"\s*:\s*"')
_REST_OF_STRING = re.compile(rb'(?:[^"\\]|\\.)*"')


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """One token of an answer: its bytes, its natural log-probability, and the likeliest tokens in its place."""

    token: bytes
    logprob: float
    top: tuple[tuple[bytes, float], ...] = ()


@dataclass(frozen=True, slots=True)
class LabelOdds:
    """The chosen label's probability among the task's labels, and the next likely one, where it can be told."""

    probability: float
    runner_up: str | None
    mass: float = 1.0
    """The probability of all labels together (0..1). Where it is small, the model would have said something else: a
    server holds it to a schema and reports probabilities from before that. The label's is then not set in relation."""


def label_odds(tokens: Sequence[TokenLogprob], labels: Sequence[str], chosen: str) -> LabelOdds | None:
    """What the tokens of an answer say about its label; None where the label cannot be found among them.

    Args:
        tokens: the whole answer's.
        labels: all that the task allows.
        chosen: the label that was read from the answer, whatever its spelling there.
    """
    content = b"".join(token.token for token in tokens)
    found = list(_CATEGORY.finditer(content, _answer_start(content)))
    if len(found) != 1 or (rest := _REST_OF_STRING.match(content, found[0].end())) is None:
        return None
    # From its key on, since a token can hold the quote before a label together with the label's beginning.
    span = list(_overlapping(tokens, found[0].start(), rest.end()))
    began = span[0][0]
    head = content[began : found[0].end()]
    spellings = {label: head + orjson.dumps(label)[1:] for label in labels}
    spellings[chosen] = content[began : rest.end()]
    return _odds(span, spellings, chosen)


def _overlapping(tokens: Sequence[TokenLogprob], start: int, end: int) -> Iterator[tuple[int, TokenLogprob]]:
    """The tokens that have a byte in [start, end), each with where it begins."""
    at = 0
    for token in tokens:
        if at >= end:
            return
        if at + len(token.token) > start:
            yield at, token
        at += len(token.token)


def _odds(span: Sequence[tuple[int, TokenLogprob]], spellings: Mapping[str, bytes], chosen: str) -> LabelOdds:
    """Follow the answer token by token and give each way off it to the label that it leads to."""
    shares: defaultdict[tuple[str, ...], float] = defaultdict(float)
    path, so_far = 0.0, b""
    for _, token in span:
        for other, logprob in token.top:
            if other != token.token and (labels := _leads_to(so_far + other, spellings, chosen)):
                shares[labels] += math.exp(path + logprob)
        so_far += token.token
        path = 0.0 if _fits_every_label(so_far, spellings) else path + token.logprob
    shares[chosen,] += math.exp(path)
    mass = min(sum(shares.values()), 1.0)
    others = sorted(((share, labels) for labels, share in shares.items() if labels != (chosen,)), reverse=True)
    runner_up = others[0][1][0] if others and len(others[0][1]) == 1 else None
    among = sum(shares.values()) if mass >= LEAST_MASS else 1.0
    return LabelOdds(round(shares[chosen,] / among, 6), runner_up, round(mass, 6))


def _answer_start(content: bytes) -> int:
    """Where the answer begins behind the thinking."""
    try:
        return len(content) - len(behind_thinking(content.decode()).encode())
    except (UnicodeDecodeError, NoAnswerError):
        return 0


def _fits_every_label(beginning: bytes, spellings: Mapping[str, bytes]) -> bool:
    return all(spelling.startswith(beginning) for spelling in spellings.values())


def _leads_to(beginning: bytes, spellings: Mapping[str, bytes], chosen: str) -> tuple[str, ...]:
    """The labels that an answer with another beginning may come to; none where that fits every label alike.

    A beginning that the chosen label shares with others counts for the others: a model that meant the chosen one would
    have cut it into tokens as it did.
    """
    if _fits_every_label(beginning, spellings):
        return ()
    labels = tuple(
        label
        for label, spelling in spellings.items()
        if spelling.startswith(beginning) or beginning.startswith(spelling)
    )
    return tuple(label for label in labels if label != chosen) or labels
