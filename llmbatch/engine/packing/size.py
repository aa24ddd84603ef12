"""The number of rows per request, reduced if the model cannot handle as many."""

from collections import deque
from collections.abc import Callable

from llmbatch.observe.events import Event, PacksMadeSmaller

_PACKS = 8
"""The latest full packs, by which the size is judged."""
_FEWEST = 3
_MOST_AGAIN = 0.25
"""Share of their rows that may need to be sent again."""


class PackSize:
    """The size that is in use. Asking rows again costs more than packing saves, where it is many of them."""

    def __init__(self, rows: int, emit: Callable[[Event], None]) -> None:
        self.rows = rows
        self._emit = emit
        self._latest: deque[tuple[int, int]] = deque(maxlen=_PACKS)

    def note(self, rows: int, again: int, why: str) -> None:
        """A pack has ended.

        Args:
            rows: that it had.
            again: those that have to be asked about again.
            why: in a few words, for one of these.
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
