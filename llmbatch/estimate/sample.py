"""Estimates the tokens of many documents from a sample, with a margin.

Bytes are known for every document, tokens only for those in the sample. The two are closely correlated, so the sample's
tokens per byte predict the total far better than tokens per document would: the ratio estimator (Cochran, "Sampling
Techniques", 3rd ed., 6.2 to 6.4).
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

_SURE_95 = 1.96
_MOST_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class TokenTotal:
    """Total tokens of `rows` documents."""

    tokens: float
    margin: float
    """Half-width of the 95% interval; 0 if all documents were counted."""
    rows: int
    counted_rows: int

    @property
    def is_exact(self) -> bool:
        """Whether every document was counted."""
        return self.counted_rows == self.rows


class TokenSample:
    """Draws documents by their keys, so that the same input gives the same sample, and counts their tokens.

    Whenever the sample exceeds its limit, every other document in it is dropped, and half as many are drawn from then
    on. So its size suits an input of any size without knowing that size in advance.
    """

    def __init__(self, most_bytes: int | None, count: Callable[[str], int]) -> None:
        """`most_bytes`: total size of the documents counted; None for all. `count` counts a text's tokens."""
        self._most_bytes = most_bytes
        self._count = count
        self._one_in = 1
        self._drawn: list[tuple[int, int, int]] = []  # (draw, bytes, tokens)
        self._drawn_bytes = 0
        self._rows = 0
        self._bytes = 0

    def add(self, draw: int, text: str) -> None:
        """Add a document; `draw` is a pseudo-random number, always the same for a text."""
        size = len(text.encode("utf-8", "replace"))
        self._rows += 1
        self._bytes += size
        if draw % self._one_in:
            return
        self._drawn.append((draw, size, self._count(text)))
        self._drawn_bytes += size
        while self._is_too_large():
            self._one_in *= 2
            self._drawn = [drawn for drawn in self._drawn if drawn[0] % self._one_in == 0]
            self._drawn_bytes = sum(size for _, size, _ in self._drawn)

    def total(self) -> TokenTotal:
        """The tokens of all documents."""
        counted, tokens = len(self._drawn), sum(tokens for *_, tokens in self._drawn)
        if counted == self._rows:
            return TokenTotal(tokens, 0.0, self._rows, counted)
        ratio = tokens / self._drawn_bytes if self._drawn_bytes else 0.0
        return TokenTotal(ratio * self._bytes, self._margin(ratio), self._rows, counted)

    def _margin(self, ratio: float) -> float:
        counted = len(self._drawn)
        if counted < 2:  # noqa: PLR2004 - one document says nothing about variance
            return ratio * self._bytes
        spread = sum((tokens - ratio * size) ** 2 for _, size, tokens in self._drawn) / (counted - 1)
        return _SURE_95 * self._rows * sqrt((1 - counted / self._rows) * spread / counted)

    def _is_too_large(self) -> bool:
        if self._most_bytes is None or len(self._drawn) <= 1:
            return False
        return self._drawn_bytes > self._most_bytes or len(self._drawn) > _MOST_ROWS
