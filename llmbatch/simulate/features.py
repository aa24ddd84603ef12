"""Features that two texts can have in common: word stems, pairs of them, and pieces of words."""

import re
from collections.abc import Iterator
from itertools import pairwise

_WORD = re.compile(r"[^\W_]+")
_SUFFIXES = ("ingly", "edly", "ings", "ing", "ies", "ied", "ed", "es", "ly", "s", "e")
_SHORTEST_STEM = 3
_LONGEST_TEXT = 4_000
"""Characters that are examined: a document's beginning shows what it is about, and a book must not block the server."""

_PIECE = 4
_PIECE_OF_OTHER_SCRIPTS = 2

PAIR_WEIGHT = 0.6
PIECE_WEIGHT = 0.5


def features(text: str) -> dict[str, float]:
    """Features of a text, each with the weight of its kind: 1 for a stem, less for a pair and for a piece.

    Scripts without spaces between words have only pieces.
    """
    stems = [_stem(word) for word in _WORD.findall(text[:_LONGEST_TEXT].lower())]
    found = dict.fromkeys((piece for stem in stems for piece in _pieces(stem)), PIECE_WEIGHT)
    found.update(dict.fromkeys((f"{one} {next_one}" for one, next_one in pairwise(stems)), PAIR_WEIGHT))
    found.update(dict.fromkeys(stems, 1.0))
    return found


def _stem(word: str) -> str:
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= _SHORTEST_STEM:
            return word[: -len(suffix)]
    return word


def _pieces(stem: str) -> Iterator[str]:
    size = _PIECE if stem.isascii() else _PIECE_OF_OTHER_SCRIPTS
    if len(stem) > size:
        for start in range(len(stem) - size + 1):
            yield "#" + stem[start : start + size]
