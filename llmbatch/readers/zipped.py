"""Zip archives with one file in them: which it is, and its bytes decompressed in pieces of bounded size.

By PKWARE's APPNOTE.TXT, 6.3.10, the end of the archive lists its content. If the end is missing, the header before the
first file describes that file.
"""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from llmbatch.core.errors import UsageError
from llmbatch.readers.faults import BAD_PACKING, BrokenStream
from llmbatch.readers.packings import unpacked_member
from llmbatch.readers.seekable import seekable

SUFFIX = ".zip"
_MAGICS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
"""Signatures of a file's header, of the end of an empty archive, and of an archive that was meant to be split."""
_HEADER = struct.Struct("<4s5H3I2H")
_HEADER_MAGIC = b"PK\x03\x04"
_ENCRYPTED = 0x41
"""Flag bits: traditional encryption, or strong encryption."""
_SIZE_FOLLOWS = 0x08
_IN_ZIP64 = 0xFFFFFFFF
_WORKBOOK = "xl/workbook.xml"
_CUT = "the zip data ends too early: the rest is missing"
_SHOWN = 5
_CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class _Member:
    """A file in an archive. `start` is the offset of its compressed bytes; `size` is their number, None if not stated.

    `is_cut` says that the archive's end is missing, and the information in it.
    """

    name: str
    start: int
    size: int | None
    method: int
    checksum: int | None
    is_cut: bool = False


def is_zip(head: bytes) -> bool:
    """Whether an input with this beginning is a zip archive."""
    return head.startswith(_MAGICS)


def name_in_zip(path: str) -> str | None:
    """The name of the only file in an archive, None if it has several or cannot be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [one.filename for one in _files(archive)]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return None
    return names[0] if len(names) == 1 else None


def unzipped(label: str, chunks: Iterator[bytes], path: Path | None) -> tuple[str, Iterator[bytes]]:
    """The name of the only file in an archive, and its bytes.

    Args:
        label: the archive's name.
        chunks: the archive; read to its end, so that a change is detected.
        path: a file with the same bytes; None for a stream, which is copied first.

    Raises:
        UsageError: it contains no file or several, or one that is encrypted or compressed in another way.
        BrokenStream: the stream breaks before it can be copied.
    """
    file = seekable(path, chunks)
    try:
        member = _only_member(label, file)
    except BaseException:
        file.close()
        raise
    if path is None:
        file.seek(0)
        chunks = iter(lambda: file.read(_CHUNK_BYTES), b"")
    else:
        file.close()
    return member.name, _checked(member, chunks)


def _only_member(label: str, file: BinaryIO) -> _Member:
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return _member_at(label, file, 0, None)
    files = _files(archive)
    if not files:
        raise UsageError(f"{label}: the zip archive contains no files")
    if len(files) > 1:
        raise _several(label, [one.filename for one in files])
    return _member_at(label, file, files[0].header_offset, files[0])


def _files(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The user's own files, without folders and without files that macOS and others add."""
    return [
        one
        for one in archive.infolist()
        if not one.filename.endswith("/")  # `is_dir` fails if a damaged archive has no name
        and not any(part == "__MACOSX" or part.startswith(".") for part in PurePosixPath(one.filename).parts)
    ]


def _several(label: str, names: list[str]) -> UsageError:
    if _WORKBOOK in names:
        return UsageError(f"{label}: an Excel workbook", hint="use --input-format excel")
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return UsageError(
        f"{label}: the zip archive contains {len(names):,} files: {', '.join(map(repr, names[:_SHOWN]))}{more}",
        hint="unpack it and name the files or their folder",
    )


def _member_at(label: str, file: BinaryIO, offset: int, known: zipfile.ZipInfo | None) -> _Member:
    """The file whose header is at this offset; sizes and checksum are from the archive's end, if that is known."""
    file.seek(max(offset, 0))
    header = file.read(_HEADER.size)
    if offset < 0 or len(header) < _HEADER.size or not header.startswith(_HEADER_MAGIC):
        raise UsageError(f"{label}: the zip archive is damaged", hint="the file may be incomplete")
    _, _, flags, method, _, _, checksum, packed, _, name_bytes, extra_bytes = _HEADER.unpack(header)
    name = file.read(name_bytes).decode("utf-8", "replace") if known is None else known.filename
    if flags & _ENCRYPTED:
        raise UsageError(f"{label}: {name!r} in the zip archive is encrypted", hint="unpack it first")
    if method not in _METHODS:
        raise UsageError(
            f"{label}: {name!r} in the zip archive is compressed with {_method_name(method)}, which is not supported",
            hint="unpack it first",
        )
    start = offset + _HEADER.size + name_bytes + extra_bytes
    if known is not None:
        return _Member(name, start, known.compress_size, method, known.CRC)
    is_stated = not flags & _SIZE_FOLLOWS and packed != _IN_ZIP64
    size, stated_checksum = (packed if is_stated else None), (None if flags & _SIZE_FOLLOWS else checksum)
    return _Member(name, start, size, method, stated_checksum, is_cut=True)


_STORED = 0
_METHODS = {_STORED: "stored", 8: "deflate", 12: "bzip2", 93: "zstd"}


def _method_name(method: int) -> str:
    return {9: "Deflate64", 14: "LZMA", 95: "xz", 99: "AES encryption"}.get(method, f"method {method}")


def _checked(member: _Member, chunks: Iterator[bytes]) -> Iterator[bytes]:
    packed = _between(member, chunks)
    checksum = 0
    for piece in packed if member.method == _STORED else unpacked_member(_METHODS[member.method], packed):
        checksum = zlib.crc32(piece, checksum)
        yield piece
    if member.checksum not in (None, checksum):
        raise BrokenStream(BAD_PACKING, "the zip data is damaged: its checksum does not match")
    for _ in packed:
        pass
    if member.is_cut:
        raise BrokenStream(BAD_PACKING, _CUT)


def _between(member: _Member, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The compressed bytes. What follows them is read too, but not yielded."""
    skip, left = member.start, member.size
    for chunk in chunks:
        part = chunk[skip:]
        skip -= len(chunk) - len(part)
        if left is not None:
            part = part[:left]
            left -= len(part)
        if part:
            yield part
    if left or (left is None and member.method == _STORED):
        raise BrokenStream(BAD_PACKING, _CUT)
