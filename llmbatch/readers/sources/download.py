"""Downloads: a remote file is copied completely or not at all, its version is recorded, and a part is resumed.

`FILE.json` contains the version of `FILE`; while it is being fetched, there are `FILE.part` and `FILE.part.json`.
"""

import gzip
import os
import re
import shutil
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

from llmbatch.core.errors import UsageError
from llmbatch.core.files import open_file, open_to_read, replacing, storing, sync_folder
from llmbatch.readers.sources.remote_file import Answer, Begun, LostError, RemoteFile, Version

_ATTEMPTS = 5
"""Attempts in a row that make no progress."""
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 60.0
_GZIP = frozenset({"gzip", "x-gzip"})
_AS_IT_IS = frozenset({"", "identity", "aws-chunked", "zstd"})
"""`aws-chunked` is how it was uploaded, and `zstd` is decompressed by the reader of the file."""
_HEADER_VALUE = re.compile(r"[\x20-\x7e]*")


@dataclass(frozen=True, slots=True)
class Download:
    """The local copy. `is_new` if it was fetched now; `size` is in bytes."""

    size: int
    is_new: bool


OnLost = Callable[[str, float], None]
"""Called with why the download broke off, and the seconds until the next attempt."""


def download(
    remote: RemoteFile,
    file: Path,
    *,
    on_lost: OnLost = lambda _, __: None,
    wait: Callable[[float], None] = time.sleep,
) -> Download:
    """Download a remote file, unless there is a copy of the same version.

    Args:
        remote: the file.
        file: the copy, private to the user. It is replaced once the new one is complete.
        on_lost: called before another attempt.
        wait: waits for the given seconds before another attempt.

    Raises:
        UsageError: it does not exist, may not be read, or the server keeps failing.
        StorageFailed: the copy cannot be written.
    """
    failed, had = 0, _begun(file)
    while True:
        try:
            return _fetched(remote, file)
        except LostError as lost:
            if lost.starts_over:
                _forget(file)
            has = _begun(file)
            has_grown = has is not None and (had is None or has.size > had.size)
            failed, had = 1 if has_grown else failed + 1, has
            pause_s = lost.wait_s or min(_FIRST_WAIT_S * 2 ** (failed - 1), _LONGEST_WAIT_S)
            if failed >= _ATTEMPTS or pause_s > _LONGEST_WAIT_S:
                raise UsageError(
                    f"{remote.name}: download failed: {lost.reason}",
                    hint="run the same command again to resume the download" if has else "try again later",
                ) from None
            on_lost(lost.reason, pause_s)
            wait(pause_s)


def _fetched(remote: RemoteFile, file: Path) -> Download:
    known, begun = _version_of(file), _begun(file)
    with remote.open(unless=known, begun=begun) as answer:
        if known is not None and (answer.is_unchanged or answer.version.is_same(known)):
            _forget(file)
            return Download(file.stat().st_size, is_new=False)
        if answer.encoding not in _GZIP | _AS_IT_IS:
            raise UsageError(f"{remote.name}: sent with Content-Encoding {answer.encoding!r}, which is not supported")
        with storing(_part(file)):
            size = _received(answer, file, begun)
            if answer.version.size is not None and size != answer.version.size:
                raise LostError(
                    f"{size:,} of {answer.version.size:,} bytes arrived", starts_over=size > answer.version.size
                )
            _put_in_place(remote, file, answer)
    return Download(file.stat().st_size, is_new=True)


def _received(answer: Answer, file: Path, begun: Begun | None) -> int:
    """Append the received bytes to the part, and return the size of both."""
    resumes = begun is not None and begun.version.is_same(answer.version) and 0 < answer.start <= begun.size
    if answer.start and not resumes:
        raise LostError("the server sent a different part than requested", starts_over=True)
    if not resumes:
        _forget(file)
        with replacing(_version_file(_part(file))) as version:
            version.write(msgspec.json.encode(answer.version))
    with _opened_part(file, answer.start) as part:
        size = answer.start
        for chunk in answer.chunks:
            part.write(chunk)
            size += len(chunk)
        part.flush()
        os.fsync(part.fileno())
    return size


def _opened_part(file: Path, start: int) -> BinaryIO:
    """The part, cut after its first `start` bytes; unbuffered, so that a kill loses nothing."""
    part = os.fdopen(open_file(_part(file), os.O_WRONLY | os.O_CREAT), "wb", buffering=0)
    part.truncate(start)
    part.seek(start)
    return part


def _put_in_place(remote: RemoteFile, file: Path, answer: Answer) -> None:
    """Move the file into place, and its version last: without one, a file is fetched again."""
    part = _part(file)
    if answer.encoding in _GZIP:
        _unpack(remote, part)
    _version_file(file).unlink(missing_ok=True)
    part.replace(file)
    sync_folder(file.parent)
    _version_file(part).replace(_version_file(file))


def _unpack(remote: RemoteFile, part: Path) -> None:
    """Undo the server's compression, but not the file's own."""
    try:
        with gzip.GzipFile(fileobj=open_to_read(part)) as packed, replacing(part) as unpacked:
            shutil.copyfileobj(packed, unpacked, 1024 * 1024)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        _forget_path(part)
        raise UsageError(f"{remote.name}: the server sent damaged gzip data ({error})") from None


def _version_of(file: Path) -> Version | None:
    """The version of the complete local file, None if there is none or it is not known."""
    with suppress(FileNotFoundError), open_to_read(file):
        return _read_version(_version_file(file))
    return None


def _begun(file: Path) -> Begun | None:
    """The part of a file that is being fetched, if it can be resumed."""
    with suppress(FileNotFoundError), open_to_read(_part(file)) as part:
        size = os.fstat(part.fileno()).st_size
        version = _read_version(_version_file(_part(file)))
        return Begun(version, size) if version is not None and version.strong_etag and size else None
    return None


def _read_version(path: Path) -> Version | None:
    with suppress(FileNotFoundError, msgspec.MsgspecError), open_to_read(path) as file:
        version = msgspec.json.decode(file.read(), type=Version)
        if all(_HEADER_VALUE.fullmatch(value or "") for value in (version.etag, version.modified)):
            return version
    return None


def _part(file: Path) -> Path:
    return file.with_name(f"{file.name}.part")


def _version_file(file: Path) -> Path:
    return file.with_name(f"{file.name}.json")


def _forget(file: Path) -> None:
    _forget_path(_part(file))


def _forget_path(part: Path) -> None:
    part.unlink(missing_ok=True)
    _version_file(part).unlink(missing_ok=True)
