"""Opens files for writing, for the whole program, and replaces files atomically.

A folder may come from someone else and contain links to the user's own files. So links in a path's last component are
not followed, an opened file must be a regular file of this user with no other name, and a temporary file has a random
name and is always newly created. See docs/explanation/security.md.
"""

import errno
import fcntl
import os
import re
import secrets
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import BinaryIO, TextIO

from llmbatch.core.errors import StorageFailed, UsageError

_PRIVATE = 0o600
_BESIDE = re.compile(r"\.llmbatch-[0-9a-f]{16}\.new")
_being_written: set[str] = set()
"""This process's temporary files; on a file system that emulates locks they may look like leftovers."""
_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def open_file(path: Path, flags: int, mode: int = _PRIVATE) -> int:
    """Open a file for writing as `os.open` does, and return its descriptor.

    A rejected file is left unchanged: truncation (`os.O_TRUNC`) happens only once the file is known to be the user's.

    Raises:
        UsageError: a link, a device or another user's file has that name.
        OSError: the system refuses, as it does for a folder.
    """
    _check_unless_folder(path)
    fd = os.open(path, flags & ~os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK, mode)
    try:
        _check(path, os.fstat(fd))
        if flags & os.O_TRUNC:
            os.ftruncate(fd, 0)
    except BaseException:
        os.close(fd)
        raise
    return fd


def open_private(path: Path) -> BinaryIO:
    """Open a file for writing, truncated and readable only by its owner. Raises the same errors as `open_file`."""
    return os.fdopen(open_file(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb")


def append_private(path: Path) -> TextIO:
    """Open a text file for appending; if created, readable only by its owner. Raises the same errors as `open_file`."""
    return os.fdopen(open_file(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), "a", encoding="utf-8")


def open_to_read(path: Path) -> BinaryIO:
    """Open a regular file in a run folder for reading, without following a link in its place.

    Raises:
        UsageError: no regular file has that name.
        OSError: the system refuses; FileNotFoundError if there is none.
    """
    _check_regular(path, path.lstat())
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")
    try:
        _check_regular(path, os.fstat(file.fileno()))
    except BaseException:
        file.close()
        raise
    return file


def create_file(path: Path, mode: int = _PRIVATE) -> BinaryIO:
    """Create a file for writing.

    Raises:
        FileExistsError: the name is taken, even if only by a dangling link.
        OSError: the system refuses it.
    """
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb")


def create_numbered(folder: Path, prefix: str, suffix: str = "", mode: int = _PRIVATE) -> tuple[Path, BinaryIO]:
    """Create the first free one of `PREFIX-1SUFFIX`, `PREFIX-2SUFFIX` and so on.

    Raises:
        OSError: the system refuses it.
    """
    for number in count(1):
        path = folder / f"{prefix}-{number}{suffix}"
        with suppress(FileExistsError):
            return path, create_file(path, mode)
    raise AssertionError("unreachable")


def check_own(path: Path) -> None:
    """Check that a path is free, or is a regular file of the user's own.

    Raises:
        UsageError: the path is a link, a folder, a device, another user's file, or a file with a second name.
        OSError: the system refuses the check.
    """
    with suppress(FileNotFoundError):
        _check(path, path.lstat())


def check_database(path: Path) -> None:
    """Create an SQLite file private to its user if there is none, and check the files that SQLite puts next to it.

    SQLite itself opens the file by name. An existing file is only checked by `stat`: closing a descriptor of it would
    release the locks that another connection of this process holds on it (sqlite.org/howtocorrupt.html, 2.2).

    Raises:
        UsageError: a link, a device or another user's file has one of the names.
        OSError: the system refuses it.
    """
    if path.parts[:1] == ("~",):  # the placeholder for the user's folders if there is no home
        raise FileNotFoundError(errno.ENOENT, "no home folder to store it in", str(path))
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for suffix in ("-journal", "-wal", "-shm"):
        check_own(path.with_name(path.name + suffix))
    check_own(path)
    with suppress(FileExistsError):
        create_file(path).close()


def create_beside(path: Path, *, keep_mode: bool = False) -> tuple[Path, int]:
    """Create a temporary file next to `path`, to be renamed onto it, and remove leftovers of killed processes.

    Args:
        path: the file to replace.
        keep_mode: give the new file the old one's permissions, or the user's default ones; else it is readable
            only by its owner.

    Returns:
        The path, and a descriptor for appending. While the descriptor is open the file is locked, which marks it as in
        use. Call `release_beside` once the file has been renamed or removed.

    Raises:
        UsageError: the file to replace is not a file of the user's own.
        OSError: the system refuses it.
    """
    check_own(path)
    _remove_left_over(path.parent)
    while True:
        beside = path.with_name(_random_name())
        _being_written.add(beside.name)
        try:
            fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o666 if keep_mode else _PRIVATE)
        except BaseException:
            release_beside(beside)
            raise
        with suppress(OSError):  # a file system without locks, where leftovers cannot be recognised
            fcntl.flock(fd, fcntl.LOCK_EX)
        if beside.exists():
            break
        release_beside(beside)
        os.close(fd)  # another process took it for a leftover before it was locked
    if keep_mode:
        with suppress(OSError):  # there is no old file, or the file system has no permissions
            os.fchmod(fd, stat.S_IMODE(path.lstat().st_mode))
    return beside, fd


def release_beside(beside: Path) -> None:
    """Forget a file from `create_beside` that has been renamed or removed."""
    _being_written.discard(beside.name)


@contextmanager
def replacing(path: Path, *, keep_mode: bool = False) -> Iterator[BinaryIO]:
    """Write a file next to `path` and rename it into place when the block ends without an error.

    A reader sees the old file or the new one, never a partial one, even after a power cut: the content is
    synced before the rename, and the folder after it. Arguments and errors as for `create_beside`.
    """
    with _replacing({"": path}, keep_mode=keep_mode) as files:
        yield files[""]


@contextmanager
def replacing_together(paths: Mapping[str, Path]) -> Iterator[dict[str, BinaryIO]]:
    """Like `replacing`, for several files of one folder, by name: none is replaced until all are complete."""
    with _replacing(paths, keep_mode=False) as files:
        yield files


def sync_folder(folder: Path) -> None:
    """Sync a folder to disk; otherwise a file created or renamed in it can be lost in a power cut."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some file systems cannot, and protect names in other ways
            raise
    finally:
        os.close(fd)


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """A context for work on our own files: an OS error is reported with its cause and what to do.

    Raises:
        StorageFailed: instead of an OSError; `path` is named if the error names no file.
    """
    try:
        yield
    except OSError as error:
        raise storage_failure(error.filename or path, error) from error


@contextmanager
def in_turn(path: Path) -> Iterator[None]:
    """A block that only one process or thread runs at a time per lock file, which is created and stays empty.

    Raises:
        StorageFailed: the file cannot be created.
    """
    with storing(path):
        fd = open_file(path, os.O_RDWR | os.O_CREAT)
        fcntl.flock(fd, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(fd)


def storage_failure(path: Path | str, error: OSError, *, kept: str = "") -> StorageFailed:
    """The error for one of our own files that cannot be written.

    Args:
        path: the file.
        error: the system's error.
        kept: what happened to the rows, if that is not clear.
    """
    is_full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return StorageFailed(
        f"{path}: cannot write ({error.strerror}){kept}",
        hint=("make room" if is_full else "check the disk and the file's permissions")
        + ", then run the same command again: it resumes",
    )


@contextmanager
def _replacing(paths: Mapping[str, Path], *, keep_mode: bool) -> Iterator[dict[str, BinaryIO]]:
    beside: dict[str, Path] = {}
    files: dict[str, BinaryIO] = {}
    try:
        for name, path in paths.items():
            beside[name], fd = create_beside(path, keep_mode=keep_mode)
            files[name] = os.fdopen(fd, "wb")
        yield files
        for file in files.values():
            file.flush()
            os.fsync(file.fileno())
        for name, new in beside.items():
            new.replace(paths[name])
    except BaseException:
        for new in beside.values():
            with suppress(OSError):
                new.unlink(missing_ok=True)
        raise
    finally:
        for file in files.values():
            with suppress(OSError):  # whatever could not be written cannot be flushed either
                file.close()
        for new in beside.values():
            release_beside(new)
    for folder in {path.parent for path in paths.values()}:
        sync_folder(folder)


def _check_unless_folder(path: Path) -> None:
    """Like `check_own`, except that a folder is left to the system to report."""
    if path.is_symlink() or not path.is_dir():
        check_own(path)


def _check(path: Path, status: os.stat_result) -> None:
    _check_regular(path, status)
    if status.st_uid != os.geteuid():
        raise UsageError(
            f"{path}: belongs to another user (uid {status.st_uid}); it was not changed",
            hint="copy the folder to have files of your own, or name another file",
        )
    if status.st_nlink > 1:
        raise UsageError(
            f"{path}: has another name (a hard link), under which it would change too; it was not changed",
            hint="replace it with a copy, or name another file",
        )


def _check_regular(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "not a regular file")
        raise UsageError(
            f"{path}: is {kind}, where a file is expected; it was not changed",
            hint="name the file itself, or move this out of the way",
        )


def left_over(folder: Path) -> list[Path]:
    """Temporary files that killed processes left behind, or that other processes are writing now."""
    return [path for path in folder.iterdir() if _BESIDE.fullmatch(path.name)]


def _random_name() -> str:
    return f".llmbatch-{secrets.token_hex(8)}.new"


def _remove_left_over(folder: Path) -> None:
    """Remove temporary files left by killed processes; a locked one is still being written."""
    with suppress(OSError):
        for name in os.listdir(folder):  # noqa: PTH208 - only names are needed
            if _BESIDE.fullmatch(name) and name not in _being_written:
                _remove_unless_locked(folder / name)


def _remove_unless_locked(path: Path) -> None:
    with suppress(OSError, UsageError):
        fd = open_file(path, os.O_RDWR)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
        finally:
            os.close(fd)
