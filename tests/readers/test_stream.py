import gzip
import json
import os
import random
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from llmbatch.core.rows import Rejection, Row
from llmbatch.readers import ReaderOptions, count_rows, read_rows, resolve_inputs, stream


def some_rows(count: int) -> bytes:
    random_text = random.Random(7)
    return b"".join(
        json.dumps({"id": number, "text": f"{random_text.getrandbits(400):x}"}).encode() + b"\n"
        for number in range(count)
    )


@pytest.mark.parametrize("name", ["in.jsonl.gz", "in.jsonl"])
def test_gzip_is_detected_from_the_content(read: Any, name: str) -> None:
    assert [row.text for row in read(gzip.compress(b'{"text": "a"}\n'), name)] == ["a"]


def test_a_file_named_gz_may_be_uncompressed(read: Any) -> None:
    assert [row.text for row in read(b'{"text": "a"}\n', "in.jsonl.gz")] == ["a"]


def test_gzip_members_and_padding_are_read_as_one_stream(read: Any) -> None:
    packed = gzip.compress(b'{"text": "a"}\n{"te') + gzip.compress(b'xt": "b"}\n') + b"\0" * 5000
    assert [row.text for row in read(packed, "in.jsonl.gz")] == ["a", "b"]


def test_highly_compressed_gzip_is_unpacked_in_pieces(read: Any) -> None:
    packed = gzip.compress(b'{"text": "' + b"a" * 5_000_000 + b'"}\n{"text": "b"}\n')
    assert [len(row.text) for row in read(packed, "in.jsonl.gz")] == [5_000_000, 1]
    assert [row.kind for row in read(packed, "in.jsonl.gz", max_row_bytes=1000)[:1]] == ["too_large"]


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9])
def test_truncated_gzip_gives_the_rows_before_and_one_rejection(read: Any, kept: float) -> None:
    packed = gzip.compress(some_rows(1000))
    *rows, last = read(packed[: int(len(packed) * kept)], "in.jsonl.gz")
    assert 1000 * kept - 20 <= len(rows) <= 1000 * kept
    assert all(isinstance(row, Row) and row.id == row.index for row in rows)
    assert isinstance(last, Rejection)
    assert (last.kind, last.index, last.place.line) == ("bad_gzip", len(rows), len(rows) + 1)
    assert last.message == "the gzip data ends too early: the rest is missing"


@pytest.mark.parametrize("cut", range(1, 33))
def test_gzip_truncated_anywhere_is_reported(read: Any, cut: int) -> None:
    rows = read(gzip.compress(b'{"text": "a"}\n')[:-cut], "in.jsonl.gz")
    assert isinstance(rows[-1], Rejection)


def test_damaged_gzip_gives_rows_before_and_one_rejection(read: Any) -> None:
    packed = bytearray(gzip.compress(some_rows(5000)))
    middle = len(packed) // 2
    packed[middle : middle + 200] = b"\xff" * 200
    rows = read(bytes(packed), "in.jsonl.gz")
    assert [row.kind for row in rows if isinstance(row, Rejection)].count("bad_gzip") == 1
    assert rows[-1].kind == "bad_gzip"
    assert len(rows) > 2000


def test_a_wrong_checksum_is_reported(read: Any) -> None:
    packed = bytearray(gzip.compress(b'{"text": "a"}\n'))
    packed[-6] ^= 1
    assert [getattr(row, "kind", "row") for row in read(bytes(packed), "in.jsonl.gz")][-1] == "bad_gzip"


def test_data_after_the_gzip_stream_is_reported(read: Any) -> None:
    first, second = read(gzip.compress(b'{"text": "a"}\n') + b"more", "in.jsonl.gz")
    assert (first.text, second.kind) == ("a", "bad_gzip")


def test_counting_agrees_with_reading_for_truncated_gzip(read: Any, tmp_path: Path) -> None:
    for name in ("in.jsonl.gz", "in.csv.gz"):
        packed = gzip.compress(b"text\n" + some_rows(100).replace(b'"', b"").replace(b",", b""))
        rows = read(packed[:-500], name)
        assert count_rows(resolve_inputs([str(tmp_path / name)], ReaderOptions()), ReaderOptions()) == len(rows)


def test_a_truncated_header_is_reported(read: Any) -> None:
    (bad,) = read(gzip.compress(b"id,text\n1,a\n")[:12], "in.csv.gz")
    assert (bad.kind, bad.index, bad.place.line) == ("bad_gzip", 0, 1)


def test_a_byte_order_mark_is_removed_only_at_the_start(read: Any) -> None:
    first, second = read(b'\xef\xbb\xbf{"text": "a"}\n\xef\xbb\xbf{"text": "b"}\n')
    assert (first.text, second.kind) == ("a", "bad_json")


def test_a_byte_order_mark_inside_gzip_is_removed(read: Any) -> None:
    assert [row.text for row in read(gzip.compress(b"\xef\xbb\xbftext\na\n"), "in.csv.gz")] == ["a"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
@pytest.mark.parametrize("name", ["in.jsonl", "in.csv", "in.tsv"])
def test_utf_16_is_read_by_its_byte_order_mark(read: Any, encoding: str, name: str) -> None:
    text = '{"id": 1, "text": "grün"}\n' if name == "in.jsonl" else "id\ttext\n1\tgrün\n"
    mark = "" if encoding == "utf-16" else "\ufeff"
    (row,) = read(f"{mark}{text}".encode(encoding), name)
    assert row.text == "grün"


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file whose content cannot be read")
@pytest.mark.parametrize("name", ["in.jsonl", "in.csv"])
def test_an_io_error_is_a_rejection(tmp_path: Path, name: str) -> None:
    (tmp_path / name).symlink_to("/proc/self/mem")
    (bad,) = read_rows(resolve_inputs([str(tmp_path / name)], ReaderOptions()), ReaderOptions())
    assert isinstance(bad, Rejection)
    assert (bad.kind, bad.message) == ("unreadable", "cannot be read any further (Input/output error)")


def test_reading_twice_gives_the_same(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_bytes(some_rows(10))
    inputs = resolve_inputs([str(tmp_path / "in.jsonl")], ReaderOptions())
    assert list(read_rows(inputs, ReaderOptions())) == list(read_rows(inputs, ReaderOptions()))


def test_reading_is_lazy(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(b'{"text": "a"}\n' * 100)
    with path.open("r+b") as growing:
        growing.truncate(2**40)  # a hole too large to read to its end
    rows = read_rows(resolve_inputs([str(path)], ReaderOptions()), ReaderOptions())
    assert next(rows).index == 0


def peak_bytes_of_reading(path: Path, **options: Any) -> int:
    """Peak memory of reading the rows of a file."""
    reading = ReaderOptions(**options)
    inputs = resolve_inputs([str(path)], reading)
    tracemalloc.start()
    try:
        for _ in read_rows(inputs, reading):
            pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("name", "header"), [("in.jsonl", b""), ("in.csv", b"id,text\n")])
def test_memory_does_not_grow_with_the_rows(tmp_path: Path, name: str, header: bytes) -> None:
    path = tmp_path / name
    row = b'{"text": "a text of some length"}\n' if not header else b"1,a text of some length\n"
    path.write_bytes(header + row * 25_000)
    assert peak_bytes_of_reading(path) < 4_000_000, "the rows together take more than 10 MB"


@pytest.mark.parametrize("name", ["in.jsonl", "in.csv"])
def test_a_row_over_the_limit_uses_no_more_memory_than_the_limit(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"text\n" + b"x" * 20_000_000)
    assert peak_bytes_of_reading(path, max_row_bytes=500_000) < 3_000_000


def test_a_non_blocking_pipe_is_waited_for() -> None:
    out, into = os.pipe()
    os.set_blocking(out, False)
    with os.fdopen(out, "rb", buffering=0) as file, ThreadPoolExecutor(1) as pool:
        reading = pool.submit(stream._read_chunk, file)
        os.write(into, b"late")
        assert reading.result(timeout=20) == b"late"
        os.close(into)
        assert stream._read_chunk(file) == b""
