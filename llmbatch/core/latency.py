"""Row latencies: a histogram whose bucket widths grow by a fifth, so that any latency is within 10% of its bucket."""

import math
from collections import Counter
from collections.abc import Iterator

_GROWTH = 1.2


class Latencies:
    """Counts durations in seconds."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def add(self, seconds: float) -> None:
        """Count one duration."""
        if seconds > 0:
            self._counts[math.floor(math.log(seconds, _GROWTH))] += 1

    def __len__(self) -> int:
        return self._counts.total()

    def __iter__(self) -> Iterator[tuple[float, float, int]]:
        """Iterate over (from, to, count) of all buckets between the shortest and the longest duration."""
        if self._counts:
            for step in range(min(self._counts), max(self._counts) + 1):
                yield _GROWTH**step, _GROWTH ** (step + 1), self._counts[step]

    def quantile(self, share: float) -> float:
        """The duration in seconds that `share` (0..1) of all are below; 0 if there are none."""
        wanted = share * len(self)
        seen = 0
        for low, high, count in self:
            seen += count
            if seen >= wanted:
                return math.sqrt(low * high)
        return 0.0
