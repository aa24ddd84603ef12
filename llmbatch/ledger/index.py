"""Where each key's latest line stands, in a few bytes a row.

An open-addressing hash table in two flat arrays: 16 bytes a slot at a load of at most two thirds, where a dict
of integers takes over 100 bytes an entry. A million rows are 32 MB, so that memory stays flat in practice.
"""

from array import array

_EMPTY = 0
_START_CAPACITY = 1 << 10


class KeyIndex:
    """Maps 64-bit keys to non-negative integers. Later values win."""

    def __init__(self) -> None:
        self._count = 0
        self._allocate(_START_CAPACITY)

    def __len__(self) -> int:
        return self._count

    def __setitem__(self, key: int, value: int) -> None:
        slot = self._slot(key)
        if self._values[slot] == _EMPTY:
            self._count += 1
        self._keys[slot] = key
        self._values[slot] = value + 1
        if self._count * 3 > self._capacity * 2:
            self._grow()

    def get(self, key: int) -> int | None:
        """The value last set for `key`, or None."""
        value = self._values[self._slot(key)]
        return None if value == _EMPTY else value - 1

    def _slot(self, key: int) -> int:
        mask, keys, values = self._mask, self._keys, self._values
        slot = key & mask
        while values[slot] != _EMPTY and keys[slot] != key:
            slot = (slot + 1) & mask
        return slot

    def _allocate(self, capacity: int) -> None:
        self._capacity, self._mask = capacity, capacity - 1
        self._keys = array("Q", bytes(8 * capacity))
        self._values = array("Q", bytes(8 * capacity))

    def _grow(self) -> None:
        keys, values = self._keys, self._values
        self._allocate(self._capacity * 2)
        for key, value in zip(keys, values, strict=True):
            if value != _EMPTY:
                slot = self._slot(key)
                self._keys[slot] = key
                self._values[slot] = value
