import gzip
import io
import struct
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llmbatch.core.errors import UsageError
from llmbatch.readers import ReaderOptions, count_rows, read_rows, resolve_inputs
from llmbatch.readers.faults import BrokenStream
from llmbatch.readers.identity import IdentityWatch, WholeRead
from llmbatch.readers.zipped import unzipped
from tests.readers.test_packings import ROW, kinds
from tests.readers.test_stream import some_rows

if TYPE_CHECKING:
    from llmbatch.readers.inputs import Input

METHODS = {"stored": zipfile.ZIP_STORED, "deflate": zipfile.ZIP_DEFLATED, "bzip2": zipfile.ZIP_BZIP2}
each_method = pytest.mark.parametrize("method", METHODS)


class Pipe:
    """An unseekable stream that only collects what is written."""

    def __init__(self) -> None:
        self.written = bytearray()

    def write(self, data: bytes) -> int:
        self.written += data
        return len(data)

    def flush(self) -> None: ...


def zipped(files: dict[str, bytes], method: str = "deflate", *, is_streamed: bool = False) -> bytes:
    """An archive; if streamed, written as into a pipe, with sizes after the data."""
    file: Any = Pipe() if is_streamed else io.BytesIO()
    with zipfile.ZipFile(file, "w", METHODS[method]) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return bytes(file.written) if is_streamed else file.getvalue()


@each_method
@pytest.mark.parametrize("name", ["in.jsonl.zip", "in.zip", "in.jsonl", "in.csv"])
@pytest.mark.parametrize("is_streamed", [False, True])
def test_the_only_file_is_read_whatever_the_archives_name(
    read: Any, method: str, name: str, *, is_streamed: bool
) -> None:
    content = b"text\n" + b"a\n" * 3 if name == "in.csv" else ROW * 3
    packed = zipped({"inner.csv" if name == "in.csv" else "inner.jsonl": content}, method, is_streamed=is_streamed)
    assert kinds(read(packed, name)) == ["row"] * 3


def test_folders_and_system_files_in_an_archive_are_ignored(read: Any) -> None:
    files = {"data/": b"", "data/in.csv": b"text\na\n", "__MACOSX/data/._in.csv": b"x", "data/.DS_Store": b"x"}
    assert kinds(read(zipped(files), "in.zip")) == ["row"]


def test_several_files_are_refused_by_name(read: Any) -> None:
    files = {f"{n}.csv": b"text\na\n" for n in range(7)}
    with pytest.raises(UsageError, match=r"contains 7 files: '0\.csv', .* '4\.csv' and 2 more"):
        read(zipped(files), "in.csv.zip")


@pytest.mark.parametrize("files", [{}, {"data/": b""}])
def test_an_archive_without_a_file_is_refused(read: Any, files: dict[str, bytes]) -> None:
    with pytest.raises(UsageError, match="contains no files"):
        read(zipped(files), "in.csv.zip")


def test_an_encrypted_file_is_refused(read: Any) -> None:
    packed = bytearray(zipped({"in.csv": b"text\na\n"}))
    packed[6] |= 1
    with pytest.raises(UsageError, match=r"'in\.csv' in the zip archive is encrypted"):
        read(bytes(packed), "in.csv.zip")


@pytest.mark.parametrize(("method", "name"), [(9, "Deflate64"), (14, "LZMA"), (1, "method 1")])
def test_an_unsupported_compression_method_is_refused_by_name(read: Any, method: int, name: str) -> None:
    packed = bytearray(zipped({"in.csv": b"text\na\n"}))
    packed[8:10] = struct.pack("<H", method)
    with pytest.raises(UsageError, match=f"compressed with {name}, which is not supported"):
        read(bytes(packed), "in.csv.zip")


@each_method
@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_archive_gives_the_rows_before_and_one_rejection(
    read: Any, method: str, kept: float, *, is_streamed: bool
) -> None:
    packed = zipped({"in.jsonl": some_rows(5000)}, method, is_streamed=is_streamed)
    *rows, last = read(packed[: int(len(packed) * kept)], "in.jsonl.zip")
    assert all(kind in {"row", "bad_json"} for kind in kinds(rows))
    assert (last.kind, "ends too early" in last.message) == ("bad_packing", True)


def test_a_checksum_mismatch_is_reported_after_the_rows(read: Any) -> None:
    packed = zipped({"in.jsonl": ROW * 2}, "stored").replace(b'"a"', b'"b"')
    assert kinds(read(packed, "in.jsonl.zip")) == ["row", "row", "bad_packing"]


def test_a_zip64_file_is_read(read: Any) -> None:
    file = io.BytesIO()
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("in.jsonl", "w", force_zip64=True) as f,
    ):
        f.write(ROW * 3)
    assert kinds(read(file.getvalue(), "in.zip")) == ["row"] * 3


@pytest.mark.parametrize("name", ["in.jsonl.gz.gz", "in.jsonl.zip.gz", "in.jsonl.gz"])
def test_doubly_compressed_files_are_unpacked_twice(read: Any, name: str) -> None:
    inner = zipped({"in.jsonl": ROW * 3}) if ".zip" in name else gzip.compress(ROW * 3)
    assert kinds(read(gzip.compress(inner), name)) == ["row"] * 3


def test_truncated_compression_around_an_archive_is_one_rejection(read: Any) -> None:
    packed = gzip.compress(zipped({"in.jsonl": some_rows(5000)}, "stored"))
    assert kinds(read(packed[: len(packed) // 2], "in.jsonl.zip.gz")) == ["bad_gzip"]


def test_endlessly_nested_compression_is_refused(read: Any) -> None:
    packed = ROW
    for _ in range(4):
        packed = gzip.compress(packed)
    with pytest.raises(UsageError, match="compressed more than 3 times"):
        read(packed, "in.jsonl.gz")


def test_archives_in_a_folder_are_inputs_if_their_member_is_one(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zipped({"in.csv": b"text\na\n"}))
    (tmp_path / "b.zip").write_bytes(zipped({"in.jpg": b"\xff"}))
    (tmp_path / "c.csv").write_text("text\nc\n")
    inputs = resolve_inputs([str(tmp_path)], ReaderOptions())
    assert [Path(item.name).name for item in inputs] == ["a.zip", "c.csv"]
    assert count_rows(inputs, ReaderOptions()) == 2


def test_an_inputs_identity_is_that_of_the_whole_archive(tmp_path: Path) -> None:
    path = tmp_path / "in.csv.zip"
    path.write_bytes(zipped({"in.csv": b"text\na\n"}))
    kept: dict[Input, WholeRead] = {}
    inputs = resolve_inputs([str(path)], ReaderOptions())
    list(read_rows(inputs, ReaderOptions(), watch=IdentityWatch(kept, lambda _: frozenset())))
    assert [whole.identity.size for whole in kept.values()] == [path.stat().st_size]


@example(at=119, flip=105, is_streamed=True)  # a member without a name
@given(at=st.integers(0, 10_000), flip=st.integers(1, 255), is_streamed=st.booleans())
def test_no_flipped_byte_raises_an_unexpected_error(at: int, flip: int, *, is_streamed: bool) -> None:
    packed = bytearray(zipped({"in.jsonl": b"some text, " * 50}, is_streamed=is_streamed))
    packed[at % len(packed)] ^= flip
    with suppress(BrokenStream, UsageError):
        b"".join(unzipped("in.zip", iter([bytes(packed)]), None)[1])


@given(data=st.binary(max_size=3000), cut=st.integers(1, 400), method=st.sampled_from(sorted(METHODS)))
def test_chunks_split_anywhere_unpack_to_the_original(
    tmp_path_factory: Any, data: bytes, cut: int, method: str
) -> None:
    packed = zipped({"in.jsonl": data}, method)
    path = tmp_path_factory.getbasetemp() / "cut.zip"
    path.write_bytes(packed)
    file = io.BytesIO(packed)
    assert b"".join(unzipped("in.zip", iter(lambda: file.read(cut), b""), path)[1]) == data
