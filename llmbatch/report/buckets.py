"""Figures over time or input position in a bounded number of buckets, however long the run."""

from collections.abc import Callable, Iterator
from typing import Generic, Protocol, Self, TypeVar


class Addable(Protocol):
    """What a bucket holds."""

    def merge(self, other: Self) -> None:
        """Add another bucket's figures."""


B = TypeVar("B", bound=Addable)


class Buckets(Generic[B]):
    """Buckets of equal width along an axis. When too many are in use, their width doubles.

    Only buckets in use count, so a pause of a week between two sessions costs no detail.
    """

    def __init__(self, make: Callable[[], B], *, width: int = 1, most: int = 120) -> None:
        self.width = width
        self._make = make
        self._most = most
        self._buckets: dict[int, B] = {}

    def at(self, position: float) -> B:
        """The bucket for a position on the axis."""
        number = int(position // self.width)
        found = self._buckets.get(number)
        if found is None:
            found = self._buckets[number] = self._make()
            while len(self._buckets) > self._most:
                self._widen()
                found = self._buckets[int(position // self.width)]
        return found

    def __iter__(self) -> Iterator[tuple[int, B]]:
        """Iterate over (start, content) of the buckets in use, in order."""
        for number in sorted(self._buckets):
            yield number * self.width, self._buckets[number]

    def __len__(self) -> int:
        return len(self._buckets)

    def _widen(self) -> None:
        self.width *= 2
        narrow, self._buckets = self._buckets, {}
        for number, content in narrow.items():
            self._buckets.setdefault(number // 2, self._make()).merge(content)
