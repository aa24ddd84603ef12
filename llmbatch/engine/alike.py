"""Detects rows that fail the same way in succession, often enough to conclude that all rows would."""

import math
from collections import Counter
from itertools import count, takewhile

_UNLIKELY = 1e-6
"""If rows fail this way now and then, the required run length is one that chance would produce this rarely."""
_KEPT = 4_096


class FailuresInARow:
    """Counts different rows in the order in which they started, since refusals arrive sooner than answers.

    A row still in progress ends a run of failures.
    """

    def __init__(self) -> None:
        self._numbers = count()
        self._rows = 0
        self._failed: dict[int, str] = {}
        """The latest failed rows, by number, with the kind of failure."""
        self._kinds: Counter[str] = Counter()

    def row_began(self) -> int:
        """Register a new row and return its number."""
        self._rows += 1
        return next(self._numbers)

    def row_labelled(self, number: int) -> None:
        """A row got its label, whatever failed before."""
        if (kind := self._failed.pop(number, None)) is not None:
            self._kinds[kind] -= 1

    def row_failed(self, number: int, kind: str, least: int) -> int | None:
        """A row failed, finally or for now. Returns how many in succession have failed the same way, if too many.

        Args:
            number: the row's number.
            kind: the kind of failure.
            least: how many it takes if rows hardly ever fail this way.
        """
        self.row_labelled(number)
        self._failed[number] = kind
        self._kinds[kind] += 1
        in_a_row = 1 + self._alike(number, kind, -1) + self._alike(number, kind, 1)
        while len(self._failed) > _KEPT:
            self._failed.pop(next(iter(self._failed)))
        return in_a_row if in_a_row >= self._too_many(kind, in_a_row, least) else None

    def _alike(self, number: int, kind: str, step: int) -> int:
        return sum(1 for _ in takewhile(lambda other: self._failed.get(other) == kind, count(number + step, step)))

    def _too_many(self, kind: str, in_a_row: int, least: int) -> int:
        elsewhere = self._kinds[kind] - in_a_row
        share = (elsewhere + 0.01) / (self._rows - in_a_row + 1)
        if not elsewhere:
            return least
        return max(least, math.ceil(math.log(_UNLIKELY) / math.log(min(share, 0.9))))
