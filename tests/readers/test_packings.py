import bz2
import gzip
import io
import lzma
import sys
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.core.rows import Rejection
from llmbatch.readers.faults import BrokenStream
from llmbatch.readers.packings import unpacking_of
from tests.readers.test_stream import some_rows

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PACKS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": lambda data: zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: 1}),
}
BROKEN = {"bad_gzip", "bad_packing"}
ROW = b'{"text": "a"}\n'
each_packing = pytest.mark.parametrize("suffix", PACKS)


def kinds(rows: list[Any]) -> list[str]:
    return [row.kind if isinstance(row, Rejection) else "row" for row in rows]


@each_packing
@pytest.mark.parametrize("ending", ["", ".{}"])
def test_compression_is_detected_from_the_content(read: Any, suffix: str, ending: str) -> None:
    assert kinds(read(PACKS[suffix](ROW * 3), f"in.jsonl{ending.format(suffix)}")) == ["row"] * 3


@each_packing
def test_members_and_padding_are_read_as_one_stream(read: Any, suffix: str) -> None:
    pack = PACKS[suffix]
    packed = pack(b'{"text": "a"}\n{"te') + pack(b'xt": "b"}\n') + b"\0" * 4096
    assert [row.text for row in read(packed, f"in.jsonl.{suffix}")] == ["a", "b"]


@each_packing
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_gives_the_rows_before_and_one_rejection(read: Any, suffix: str, kept: float) -> None:
    packed = PACKS[suffix](some_rows(2000))
    *rows, last = kinds(read(packed[: int(len(packed) * kept)], f"in.jsonl.{suffix}"))
    assert set(rows) <= {"row"}
    assert last == ("bad_gzip" if suffix == "gz" else "bad_packing")


@each_packing
def test_damage_ends_in_one_rejection_that_names_the_compression(read: Any, suffix: str) -> None:
    packed = bytearray(PACKS[suffix](some_rows(5000)))
    middle = len(packed) // 2
    packed[middle : middle + 200] = b"\xff" * 200
    *_, last = rows = read(bytes(packed), f"in.jsonl.{suffix}")
    assert sum(isinstance(row, Rejection) and row.kind in BROKEN for row in rows) == 1
    assert "data is damaged" in last.message


@each_packing
def test_trailing_data_is_reported(read: Any, suffix: str) -> None:
    first, second = read(PACKS[suffix](ROW) + b"more of it", f"in.jsonl.{suffix}")
    assert first.text == "a"
    assert isinstance(second, Rejection)


@each_packing
def test_a_compression_bomb_is_unpacked_in_small_pieces(suffix: str) -> None:
    packed = PACKS[suffix](b"a" * 50_000_000)
    unpack = unpacking_of(packed[:6])
    assert unpack is not None
    tracemalloc.start()
    try:
        assert sum(map(len, unpack(iter([packed])))) == 50_000_000
        assert tracemalloc.get_traced_memory()[1] < 24_000_000
    finally:
        tracemalloc.stop()


def test_skippable_frames_hold_no_rows(read: Any) -> None:
    skipped = b"\x50\x2a\x4d\x18" + (4).to_bytes(4, "little") + b"size"
    assert kinds(read(skipped + zstd.compress(ROW), "in.jsonl.zst")) == ["row"]


def test_a_file_that_needs_too_much_memory_is_reported_as_such(read: Any) -> None:
    parameters: dict[int, int] = {
        zstd.CompressionParameter.window_log: 30,
        zstd.CompressionParameter.content_size_flag: 0,
    }
    packer = zstd.ZstdCompressor(options=parameters)
    (bad,) = read(packer.compress(ROW) + packer.flush(), "in.jsonl.zst")
    assert bad.kind == "bad_packing"
    assert "needs too much memory to unpack" in bad.message


@each_packing
@given(data=st.binary(max_size=3000), cut=st.integers(1, 400))
def test_chunks_split_anywhere_unpack_to_the_original(suffix: str, data: bytes, cut: int) -> None:
    packed = io.BytesIO(PACKS[suffix](data))
    unpack = unpacking_of(packed.getvalue()[:6])
    assert unpack is not None
    assert b"".join(unpack(iter(lambda: packed.read(cut), b""))) == data


@each_packing
@given(at=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_no_flipped_byte_raises_an_unexpected_error(suffix: str, at: int, flip: int) -> None:
    packed = bytearray(PACKS[suffix](b"some text, " * 50))
    unpack = unpacking_of(bytes(packed[:6]))
    assert unpack is not None
    packed[6 + at % (len(packed) - 6)] ^= flip
    with suppress(BrokenStream):
        b"".join(unpack(iter([bytes(packed)])))
