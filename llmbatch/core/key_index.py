"""Where each key's latest line stands, in a few bytes a row.

An open-addressing hash table in two flat arrays: 16 bytes a slot at a load of at most two thirds, where a dict
of integers takes over 100 bytes an entry. A million rows are 32 MB, so that memory stays flat in practice.
"""

from array import array

_START_BITS = 10
_KEY_HEX_DIGITS = 16


def short(digest: str) -> int:
    """A digest's first 64 bits: what it is indexed by."""
    return int(digest[:_KEY_HEX_DIGITS], 16)


class KeyIndex:
    """Maps 64-bit keys to non-negative integers. Later values win.

    One thread sets; others may look up meanwhile: they find what stood there before or after, never another's value.
    """

    def __init__(self, *, room_for: int = 0) -> None:
        """`room_for`: entries that fit in before it must grow, which takes a second a million."""
        self._count = 0
        self._table = _Table.empty(1 << max(_START_BITS, (room_for * 3 // 2).bit_length()))

    @classmethod
    def of_arrays(cls, keys: "array[int]", values: "array[int]", *, count: int) -> "KeyIndex":
        """The index that had these `arrays` and so many entries."""
        index = cls()
        index._table, index._count = _Table(keys, values), count
        return index

    def copied(self) -> "KeyIndex":
        """The index as it stands now. Its keys are shared: where a value stands, its key never changes."""
        keys, values = self.arrays
        return KeyIndex.of_arrays(keys, values[:], count=self._count)

    @property
    def arrays(self) -> "tuple[array[int], array[int]]":
        """Its keys and values as they are held."""
        return self._table.keys, self._table.values

    def __len__(self) -> int:
        return self._count

    def __setitem__(self, key: int, value: int) -> None:
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
        slot = key & mask  # as in `slot`, without a call: a million rows are looked up before a resumed run asks
        while value := values[slot]:
            if keys[slot] == key:
                return value - 1
            slot = (slot + 1) & mask
        return None


class _Table:
    """The arrays of one capacity, a power of two. A value of 0 marks an empty slot; others are one too high."""

    __slots__ = ("keys", "mask", "most", "values")

    def __init__(self, keys: "array[int]", values: "array[int]") -> None:
        self.mask = len(keys) - 1
        self.most = len(keys) * 2 // 3
        self.keys = keys
        self.values = values

    @classmethod
    def empty(cls, capacity: int) -> "_Table":
        return cls(array("Q", bytes(8)) * capacity, array("Q", bytes(8)) * capacity)

    def slot(self, key: int) -> int:
        mask, keys, values = self.mask, self.keys, self.values
        slot = key & mask
        while values[slot] and keys[slot] != key:
            slot = (slot + 1) & mask
        return slot

    def grown(self) -> "_Table":
        larger = _Table.empty(len(self.keys) * 2)
        for key, value in zip(self.keys, self.values, strict=True):
            if value:
                slot = larger.slot(key)
                larger.keys[slot] = key
                larger.values[slot] = value
        return larger
