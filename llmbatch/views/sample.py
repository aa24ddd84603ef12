"""The random sample for human eyes: the same rows at every run, whatever the order in which they finished."""

import hashlib
import heapq
from collections.abc import Iterable
from dataclasses import dataclass

from llmbatch.errors import UsageError
from llmbatch.rows import Row

_POINTS = 1 << 64


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
    raise UsageError(f"--sample {text!r} is neither a share nor a count", hint="say --sample 2% or --sample 50")


_MOST = 1_000_000_000


class Draw:
    """Tells which rows are in the sample.

    Membership hangs on a hash of the row's place and id, so that it is the same at every run, and growing the
    share only adds rows.
    """

    def __init__(self, sample: Sample, candidates: Iterable[Row]) -> None:
        """`candidates` is read only where the sample is a count, to find the rows that it takes."""
        self._seed = sample.seed
        self._below = int(sample.share * _POINTS)
        if sample.count:
            chosen = heapq.nsmallest(sample.count, (_point(row, self._seed) for row in candidates))
            self._below = chosen[-1] + 1 if chosen else 0

    def takes(self, row: Row) -> bool:
        """Whether a finished row is in the sample."""
        return self._below > 0 and _point(row, self._seed) < self._below


def drawn(candidates: Iterable[Row], count: int, seed: int) -> list[Row]:
    """A random sample of rows, in their order: the same for the same rows and seed, and a larger one holds the smaller.

    Holds `count` rows in memory, however many there are.
    """
    chosen = heapq.nsmallest(count, candidates, key=lambda row: _point(row, seed))
    return sorted(chosen, key=lambda row: row.index)


def _point(row: Row, seed: int) -> int:
    name = f"{row.index}\x00{row.id!r}".encode("utf-8", "replace")
    return int.from_bytes(hashlib.blake2b(seed.to_bytes(8, "big", signed=True) + name, digest_size=8).digest(), "big")
