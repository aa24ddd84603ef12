"""The random sample for human review: the same rows at every run, whatever the order in which they finished."""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass

from llmbatch.core.errors import UsageError
from llmbatch.core.rows import POINTS, Row, point

_PURPOSE = "sample"


@dataclass(frozen=True, slots=True)
class Sample:
    """How many rows to set aside: a share of them (0..1) or a count. `seed` picks another sample."""

    share: float = 0.0
    count: int = 0
    seed: int = 0

    def __bool__(self) -> bool:
        return self.share > 0 or self.count > 0


def parse_sample(text: str, seed: int = 0) -> Sample:
    """A sample as the user writes it: `2%` or `50`.

    Raises:
        UsageError: it is neither.
    """
    number = text.strip()
    try:
        if number.endswith("%"):
            share = float(number[:-1]) / 100
            if 0 <= share <= 1:
                return Sample(share=share, seed=seed)
        elif 0 <= (count := int(number)) <= _MOST:
            return Sample(count=count, seed=seed)
    except ValueError:
        pass
    raise UsageError(f"--sample {text!r} is neither a percentage nor a count", hint="use --sample 2% or --sample 50")


_MOST = 1_000_000_000


class Draw:
    """Decides which rows are in the sample, and their order.

    Membership depends on a hash of the row's id and text, so it is the same at every run, whatever rows were added or
    removed before it, and increasing the sample only adds rows. The order is by that hash too: the first rows of a
    sample are a smaller sample.
    """

    def __init__(self, sample: Sample, candidates: Iterable[Row]) -> None:
        """`candidates` is read only if the sample is a count, to find the rows in it."""
        self._seed = sample.seed
        self._end = (int(sample.share * POINTS), 0)
        if sample.count:
            chosen = heapq.nsmallest(sample.count, (_place(row, self._seed) for row in candidates))
            self._end = (chosen[-1][0], chosen[-1][1] + 1) if chosen else (0, 0)

    def place(self, row: Row) -> tuple[int, int] | None:
        """The sort key of a finished row in the sample; None if it is not in it."""
        if self._end == (0, 0):
            return None
        place = _place(row, self._seed)
        return place if place < self._end else None

    def takes(self, row: Row) -> bool:
        """Whether a finished row is in the sample."""
        return self.place(row) is not None


def drawn(candidates: Iterable[Row], count: int, seed: int) -> list[Row]:
    """A random sample of rows in order: the same for the same rows and seed, and a larger one contains a smaller one.

    Holds `count` rows in memory, whatever the size of the input.
    """
    chosen = heapq.nsmallest(count, candidates, key=lambda row: _place(row, seed))
    return sorted(chosen, key=lambda row: row.index)


def _place(row: Row, seed: int) -> tuple[int, int]:
    """A row's point, and its index, which distinguishes rows with the same id and text."""
    return point(row, _PURPOSE, seed), row.index
