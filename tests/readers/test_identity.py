"""An input is identified by its bytes, however they are chunked."""

import hashlib
import os
from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from llmbatch.readers import IdentityWatch, Input, WholeRead, first_mark

ITEM = Input("in", Path("in"), None, None)
STATUS = Path(os.devnull).stat()


def read(content: bytes, cuts: list[int], *known: int) -> WholeRead:
    """The identity of a content that is read in chunks, split at these offsets."""
    kept: dict[Input, WholeRead] = {}
    watch = IdentityWatch(kept, lambda _: frozenset(known))
    places = sorted({0, len(content), *(cut % (len(content) + 1) for cut in cuts)})
    for start, end in pairwise(places):
        watch.read(ITEM, content[start:end])
    watch.ended(ITEM, STATUS)
    return kept[ITEM]


@given(st.binary(max_size=700), st.lists(st.integers(0, 700)), st.integers(0, 700))
def test_the_identity_does_not_depend_on_chunking(content: bytes, cuts: list[int], known: int) -> None:
    found = read(content, cuts, known)
    assert found.identity == read(content, [], known).identity
    assert found.identity.size == len(content)
    assert found.identity.digest == hashlib.blake2b(content, digest_size=16).hexdigest()
    prefix = hashlib.blake2b(content[:known], digest_size=16).hexdigest()
    assert found.at_cut == ({known: prefix} if 0 < known <= len(content) else {})
    assert len(found.identity.marks) == sum(mark <= len(content) for mark in (64, 128, 256, 512))
    assert first_mark(content) == next(iter(found.identity.marks), None)


@given(st.binary(min_size=1, max_size=700), st.integers(0, 700), st.binary(max_size=100))
def test_a_grown_file_is_distinguished_from_another_file(content: bytes, end: int, other: bytes) -> None:
    whole = read(content, []).identity
    assert read(content[:end], []).identity.began_like(whole)
    longer = read(content + other, [], len(content))
    assert longer.at_cut[len(content)] == whole.digest
    if len(content) >= 64:
        changed = bytes([content[0] ^ 1]) + content[1:]
        assert not read(changed, []).identity.began_like(whole)
