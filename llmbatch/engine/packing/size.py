"""The number of rows per request, reduced if the model cannot handle as many."""

from collections import deque
from collections.abc import Callable

from llmbatch.observe.events import Event, PacksMadeSmaller

_PACKS = 8
"""How many of the latest full packs are considered."""
_FEWEST = 3
_MOST_AGAIN = 0.25
"""Share of their rows that may need to be sent again."""


class PackSize:
    """The current size. If many rows must be sent again, this costs more than packing saves."""

    def __init__(self, rows: int, emit: Callable[[Event], None]) -> None:
        self.rows = rows
        self._emit = emit
        self._latest: deque[tuple[int, int]] = deque(maxlen=_PACKS)

    def note(self, rows: int, again: int, why: str) -> None:
        """Record that a pack has ended.

        Args:
            rows: number of its rows.
            again: number of rows that must be sent again.
            why: the reason for one of these, in a few words.
        """
        if self.rows == 1 or rows < self.rows:
            return
        self._latest.append((rows, again))
        asked, repeated = (sum(column) for column in zip(*self._latest, strict=True))
        if len(self._latest) < _FEWEST or repeated <= _MOST_AGAIN * asked:
            return
        self._make(max(self.rows // 2, 1), repeated, asked, why)

    def give_up(self, why: str) -> None:
        """The endpoint accepts no packs at all: send rows alone from now on."""
        if self.rows > 1:
            self._make(1, self.rows, self.rows, why)

    def _make(self, rows: int, again: int, asked: int, why: str) -> None:
        before, self.rows = self.rows, rows
        self._latest.clear()
        self._emit(PacksMadeSmaller(before, rows, again, asked, why))
