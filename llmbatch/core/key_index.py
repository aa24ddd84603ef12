"""The position of each key's latest line, in a few bytes per row.

An open-addressing hash table in two flat arrays: 12 bytes a slot at a load of at most two thirds, where a dict
of integers takes over 100 bytes an entry. A million rows take 25 MB, so memory stays nearly constant in practice.
Values take four bytes each until one of them needs eight, as positions beyond 4 GiB do.
"""

from array import array

_START_BITS = 10
_NARROW, _WIDE = "I", "Q"
_KEY_HEX_DIGITS = 16


def short(digest: str) -> int:
    """A digest's first 64 bits, its index key."""
    return int(digest[:_KEY_HEX_DIGITS], 16)


class KeyIndex:
    """Maps 64-bit keys to non-negative integers. Later values win.

    One thread sets; others may look up meanwhile and find the old or the new value, never another key's.
    """

    def __init__(self, *, room_for: int = 0) -> None:
        """`room_for`: entries to make room for; growing later takes a second per million."""
        self._count = 0
        self._table = _Table.empty(1 << max(_START_BITS, (room_for * 3 // 2).bit_length()))

    @classmethod
    def of_arrays(cls, keys: "array[int]", values: "array[int]", *, count: int) -> "KeyIndex":
        """Rebuild an index from its `arrays` and its number of entries."""
        index = cls()
        index._table, index._count = _Table(keys, values), count
        return index

    def copied(self) -> "KeyIndex":
        """A snapshot of the index. Keys are shared: once a slot has a value, its key never changes."""
        keys, values = self.arrays
        return KeyIndex.of_arrays(keys, values[:], count=self._count)

    @property
    def arrays(self) -> "tuple[array[int], array[int]]":
        """The raw keys and values."""
        return self._table.keys, self._table.values

    def __len__(self) -> int:
        return self._count

    def __setitem__(self, key: int, value: int) -> None:
        if value >= self._table.too_large:
            self._table = self._table.widened()
        table = self._table
        slot = table.slot(key)
        if table.values[slot]:
            table.values[slot] = value + 1
            return
        table.keys[slot] = key
        table.values[slot] = value + 1
        self._count += 1
        if self._count > table.most:
            self._table = table.grown()

    def get(self, key: int) -> int | None:
        """The value last set for `key`, or None."""
        table = self._table
        mask, keys, values = table.mask, table.keys, table.values
        slot = key & mask  # as in `slot`, inlined: a resumed run looks up a million rows before it sends anything
        while value := values[slot]:
            if keys[slot] == key:
                return value - 1
            slot = (slot + 1) & mask
        return None


class _Table:
    """The arrays of one capacity, a power of two. A value of 0 marks an empty slot; others are stored plus one."""

    __slots__ = ("keys", "mask", "most", "too_large", "values")

    def __init__(self, keys: "array[int]", values: "array[int]") -> None:
        self.mask = len(keys) - 1
        self.most = len(keys) * 2 // 3
        self.too_large = (1 << 8 * values.itemsize) - 1
        self.keys = keys
        self.values = values

    @classmethod
    def empty(cls, capacity: int, width: str = _NARROW) -> "_Table":
        return cls(array("Q", [0]) * capacity, array(width, [0]) * capacity)

    def widened(self) -> "_Table":
        return _Table(self.keys, array(_WIDE, self.values))

    def slot(self, key: int) -> int:
        mask, keys, values = self.mask, self.keys, self.values
        slot = key & mask
        while values[slot] and keys[slot] != key:
            slot = (slot + 1) & mask
        return slot

    def grown(self) -> "_Table":
        larger = _Table.empty(len(self.keys) * 2, self.values.typecode)
        for key, value in zip(self.keys, self.values, strict=True):
            if value:
                slot = larger.slot(key)
                larger.keys[slot] = key
                larger.values[slot] = value
        return larger
