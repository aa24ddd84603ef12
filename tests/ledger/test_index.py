"""The index behaves like a dict, in a fraction of its memory."""

from hypothesis import given
from hypothesis import strategies as st

from llmbatch.core.key_index import KeyIndex

keys = st.integers(0, 2**64 - 1) | st.integers(0, 50) | st.integers(0, 50).map(lambda n: n << 32)

values = st.integers(0, 9) | st.integers(2**32 - 3, 2**32 + 3) | st.integers(0, 2**62)


@given(st.lists(st.tuples(keys, values)), st.lists(keys))
def test_it_behaves_like_a_dict(pairs: list[tuple[int, int]], others: list[int]) -> None:
    index, reference = KeyIndex(), dict[int, int]()
    for key, value in pairs:
        index[key] = value
        reference[key] = value
    assert len(index) == len(reference)
    for key in [*reference, *others]:
        assert index.get(key) == reference.get(key)


def test_it_grows_past_its_first_size() -> None:
    index = KeyIndex()
    for n in range(10_000):
        index[n * 7919] = n
    assert [index.get(n * 7919) for n in range(10_000)] == list(range(10_000))
    assert len(index) == 10_000


@given(st.lists(st.tuples(keys, values)), st.lists(st.tuples(keys, values)))
def test_a_copy_is_independent(before: list[tuple[int, int]], after: list[tuple[int, int]]) -> None:
    index = KeyIndex()
    for key, value in before:
        index[key] = value
    copy = index.copied()
    for key, value in after:
        index[key] = value
    reference = dict(before)
    assert len(copy) == len(reference)
    for key, _ in [*before, *after]:
        assert copy.get(key) == reference.get(key)
