"""Computes a label's probability from its tokens' log-probabilities: a measured confidence, not a stated one.

The label's tokens are located in the answer by their bytes. At each of them the model's next-best tokens are known, and
those that would have led to another label of the task count towards that label, in every spelling that would have been
accepted: a different case, an alias, a character escaped or not. Tokens that lead to no label are ignored, and so are
those that fit all labels equally, such as a space before them.
"""

import json
import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from llmbatch.task.fields import CATEGORY, folded
from llmbatch.task.thinking import NoAnswerError, behind_thinking

LEAST_MASS = 0.5
"""Minimum probability of all labels together; below it, the model was not choosing among the labels."""
_LEAST_SHARE = 1e-9
_REST_OF_STRING = re.compile(rb'(?:[^"\\]|\\.)*"')
_CHARACTERS = re.compile(rb'(?:[^"\\]|\\u[0-9a-fA-F]{4}|\\["\\/bfnrt])*')
_PART_OF_ESCAPE = re.compile(rb"\\(?:u[0-9a-fA-F]{0,3})?")
_ESCAPE_BYTES = 6
_SURROGATES = ("\ud800", "\udbff")


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """One token of an answer: its bytes, its natural log-probability, and the most likely alternatives."""

    token: bytes
    logprob: float
    top: tuple[tuple[bytes, float], ...] = ()


@dataclass(frozen=True, slots=True)
class LabelOdds:
    """The chosen label's probability among the task's labels, and the runner-up, if known."""

    probability: float
    runner_up: str | None
    mass: float = 1.0
    """The probability of all labels together (0..1). If it is small, the model would have said something else: a server
    enforces a schema and reports probabilities from before that. The label's probability is then not normalised."""


def label_odds(
    tokens: Sequence[TokenLogprob],
    labels: Sequence[str],
    chosen: str,
    aliases: Mapping[str, str] | None = None,
    *,
    key: str = CATEGORY,
) -> LabelOdds | None:
    """Compute a label's odds from an answer's tokens; None if the label cannot be found among them.

    Args:
        tokens: the tokens of the whole answer.
        labels: all labels of the task.
        chosen: the label read from the answer, whatever its spelling there.
        aliases: other accepted spellings, with their labels.
        key: the label's key in the answer.
    """
    content = b"".join(token.token for token in tokens)
    begins = re.compile(rf'"{key}"\s*:\s*"'.encode())
    found = list(begins.finditer(content, answer_start(content)))
    if len(found) != 1 or (rest := _REST_OF_STRING.match(content, found[0].end())) is None:
        return None
    # From its key on, since one token can contain the quote before a label and the label's start.
    span = list(_overlapping(tokens, found[0].start(), rest.end()))
    return _odds(span, _Spellings(labels, aliases or {}, begins), chosen)


def _overlapping(tokens: Sequence[TokenLogprob], start: int, end: int) -> Iterator[tuple[int, TokenLogprob]]:
    """The tokens with a byte in [start, end), each with its start."""
    at = 0
    for token in tokens:
        if at >= end:
            return
        if at + len(token.token) > start:
            yield at, token
        at += len(token.token)


def _odds(span: Sequence[tuple[int, TokenLogprob]], spellings: "_Spellings", chosen: str) -> LabelOdds:
    """Follow the answer token by token and assign each alternative to the label it leads to."""
    shares: defaultdict[tuple[str, ...], float] = defaultdict(float)
    path, so_far = 0.0, b""
    for _, token in span:
        left = 0.0
        for other, logprob in token.top:
            if other == token.token:
                continue
            if labels := _others_led_to(so_far + other, so_far + token.token, spellings, chosen):
                shares[labels] += math.exp(path + logprob)
                left += math.exp(logprob)
        so_far += token.token
        step = token.logprob
        if spellings.all_fit(spellings.begun_label(so_far)):  # alternatives that also fit all labels are equivalent
            step = max(step, math.log(max(1 - left, _LEAST_SHARE)))
        path += step
    shares[chosen,] += math.exp(path)
    mass = min(sum(shares.values()), 1.0)
    others = sorted(((share, labels) for labels, share in shares.items() if labels != (chosen,)), reverse=True)
    runner_up = others[0][1][0] if others and len(others[0][1]) == 1 else None
    among = sum(shares.values()) if mass >= LEAST_MASS else 1.0
    return LabelOdds(round(shares[chosen,] / among, 6), runner_up, round(mass, 6))


def answer_start(content: bytes) -> int:
    """The start of the answer after the reasoning."""
    try:
        return len(content) - len(behind_thinking(content.decode()).encode())
    except (UnicodeDecodeError, NoAnswerError):
        return 0


def _others_led_to(beginning: bytes, taken: bytes, spellings: "_Spellings", chosen: str) -> tuple[str, ...]:
    """The labels that an answer with a different beginning may become; none if it fits every label.

    A beginning that the chosen label shares with others counts for the others: a model that meant the chosen label
    would have used the same tokens as it did. The same goes for a beginning that fits all labels, if the longer one
    that was `taken` does not.
    """
    begun = spellings.begun_label(beginning)
    if begun is None:
        return ()
    if spellings.all_fit(begun):
        is_longer = begun.text.strip() != "" and taken.startswith(beginning)
        if not is_longer or spellings.all_fit(spellings.begun_label(taken)):
            return ()
    labels = spellings.led_to(begun)
    return tuple(label for label in labels if label != chosen) or labels


@dataclass(frozen=True, slots=True)
class _Begun:
    """An incomplete JSON string: its characters, the bytes of an unfinished character, and whether it has ended."""

    text: str
    dangling: bytes
    is_whole: bool


def _begun(raw: bytes) -> _Begun | None:
    """Read the start of a JSON string, after its quote; None if it is not one."""
    characters = _CHARACTERS.match(raw)
    body = characters.group() if characters else b""
    rest = raw[len(body) :]
    is_whole = rest.startswith(b'"')
    if not is_whole and rest and not _PART_OF_ESCAPE.fullmatch(rest):
        return None
    dangling = b"" if is_whole else rest
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        if is_whole or error.end != len(body):
            return None
        text, dangling = body[: error.start].decode(), body[error.start :] + dangling
    text = json.loads(f'"{text}"', strict=False)
    if not is_whole and text and _SURROGATES[0] <= text[-1] <= _SURROGATES[1]:
        text, dangling = text[:-1], body[-_ESCAPE_BYTES:] + dangling  # half of an escaped surrogate pair
    return _Begun(text, dangling, is_whole)


class _Spellings:
    """All spellings that the parser accepts as a label: exact ones first, then ignoring case and space."""

    def __init__(self, labels: Sequence[str], aliases: Mapping[str, str], begins: re.Pattern[bytes]) -> None:
        """`begins` matches what precedes a label in an answer."""
        self._begins = begins
        self._exact = {label: label for label in labels}
        self._loose = {folded(spelling): label for spelling, label in (*self._exact.items(), *aliases.items())}

    def begun_label(self, beginning: bytes) -> _Begun | None:
        """The part of the label in an answer's beginning; None if its quote has not come yet."""
        key = self._begins.search(beginning)
        return None if key is None else _begun(beginning[key.end() :])

    def all_fit(self, begun: _Begun | None) -> bool:
        """Whether a beginning says nothing about which label follows; true before the label's quote (None)."""
        return begun is None or (not begun.is_whole and len(self.led_to(begun)) == len(self._exact))

    def led_to(self, begun: _Begun) -> tuple[str, ...]:
        """The labels that a beginning may become."""
        text, loose = begun.text, begun.text.lstrip().casefold()
        if begun.is_whole:
            label = self._exact.get(text) or self._loose.get(folded(text))
            return () if label is None else (label,)
        exact = [label for label in self._exact if _continues(label, text, begun.dangling)]
        found = exact or [
            label
            for spelling, label in self._loose.items()
            if _continues(spelling, loose, begun.dangling) or spelling == loose.rstrip()
        ]
        return tuple(dict.fromkeys(found))


def _continues(spelling: str, text: str, dangling: bytes) -> bool:
    """Whether a spelling begins with `text`, and its next character with the bytes of an unfinished one."""
    if not spelling.startswith(text):
        return False
    if not dangling:
        return True
    following = spelling[len(text) : len(text) + 1]
    ways = (way for one in {following, following.upper(), following.lower()} for way in _ways(one))
    return following != "" and any(way.startswith((dangling.lower(), dangling)) for way in ways)


def _ways(character: str) -> Iterator[bytes]:
    """The ways to write a character in a JSON string."""
    yield character.encode("utf-8", "surrogatepass")
    yield json.dumps(character)[1:-1].encode()
    if not character.isalnum() or not character.isascii():  # plain letters are never escaped
        yield "".join(f"\\u{ord(unit):04x}" for unit in _units(character)).encode()


def _units(character: str) -> Iterator[str]:
    """The UTF-16 code units of a character."""
    raw = character.encode("utf-16-be", "surrogatepass")
    return (chr(int.from_bytes(raw[n : n + 2])) for n in range(0, len(raw), 2))
