"""The first records of an input, held back to choose its fields; for a pipe, only for a moment."""

import time
from collections.abc import Callable, Iterator
from itertools import chain
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Generic, TypeVar

T = TypeVar("T")

MOMENT_S = 0.25
"""How long the first row of a pipe waits for others."""


def looked_ahead(
    items: Iterator[T], is_enough: Callable[[T], bool], *, within_s: float | None
) -> tuple[list[T], Iterator[T]]:
    """The first items, and all items.

    Args:
        items: the items.
        is_enough: called with each item; True if it is the last one needed.
        within_s: seconds after which those that have arrived are enough, even if there are none; None waits for all.
    """
    if within_s is None:
        first = list(_up_to(items, is_enough))
        return first, chain(first, items)
    ahead = _Ahead(items, is_enough)
    ahead.start()
    first = ahead.within(within_s)
    return first, chain(first, ahead.rest())


def _up_to(items: Iterator[T], is_enough: Callable[[T], bool]) -> Iterator[T]:
    for item in items:
        yield item
        if is_enough(item):
            return


class _Ahead(Thread, Generic[T]):
    """Takes items one by one in a daemon thread: it may block forever, but does not keep the process from ending."""

    def __init__(self, items: Iterator[T], is_enough: Callable[[T], bool]) -> None:
        super().__init__(name="llmbatch-look-ahead", daemon=True)
        self._items = items
        self._is_enough = is_enough
        self._taken: SimpleQueue[tuple[T] | BaseException | None] = SimpleQueue()
        self._is_wanted = True
        self._last: BaseException | None = None
        self._has_ended = False

    def run(self) -> None:
        """Take items until there are enough of them, or no consumer waits any more."""
        try:
            for item in _up_to(self._items, self._is_enough):
                self._taken.put((item,))
                if not self._is_wanted:
                    break
        except BaseException as error:  # noqa: BLE001 - raised where the items are wanted
            self._taken.put(error)
        else:
            self._taken.put(None)

    def within(self, seconds: float) -> list[T]:
        """The items that arrive within this time."""
        until = time.monotonic() + seconds
        items: list[T] = []
        while not self._has_ended:
            try:
                taken = self._taken.get(timeout=max(until - time.monotonic(), 0))
            except Empty:
                break
            items.extend(self._out_of(taken))
        self._is_wanted = False
        return items

    def rest(self) -> Iterator[T]:
        """All later items."""
        while not self._has_ended:
            yield from self._out_of(self._taken.get())
        if self._last is not None:
            raise self._last
        yield from self._items

    def _out_of(self, taken: tuple[T] | BaseException | None) -> tuple[T, ...]:
        if isinstance(taken, tuple):
            return taken
        self._last, self._has_ended = taken, True
        return ()
