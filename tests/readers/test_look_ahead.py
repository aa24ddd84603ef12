from collections.abc import Iterator
from threading import Event

import pytest

from llmbatch.readers.look_ahead import looked_ahead


def never(_: int) -> bool:
    return False


def test_peeked_items_are_yielded_again() -> None:
    first, items = looked_ahead(iter(range(9)), lambda item: item == 3, within_s=None)
    assert (first, list(items)) == ([0, 1, 2, 3], list(range(9)))


@pytest.mark.parametrize("within_s", [None, 60.0])
def test_an_end_or_an_error_is_raised_in_order(within_s: float | None) -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("then")

    first, items = looked_ahead(iter([1, 2]), never, within_s=within_s)
    assert (first, list(items)) == ([1, 2], [1, 2])
    if within_s is not None:
        first, items = looked_ahead(broken(), never, within_s=within_s)
        assert (first, next(items)) == ([1], 1)
        with pytest.raises(ValueError, match="then"):
            next(items)


def test_slow_items_are_not_waited_for_and_not_lost() -> None:
    later = Event()

    def slow() -> Iterator[int]:
        yield 1
        assert later.wait(60)
        yield from (2, 3)

    first, items = looked_ahead(slow(), never, within_s=0.01)
    later.set()
    assert (first, list(items)) == ([1], [1, 2, 3])
