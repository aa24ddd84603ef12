"""How files are opened for writing, everywhere in the program; and how they are replaced whole or not at all.

A folder may come from somebody else, with links in it that lead to files of the user's own. So no link is followed in
a path's last part, what is opened must be a regular file of this user's with no other name, and a file that is written
beside another one has a random name and is created, never opened. See docs/explanation/security.md.
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
"""Names of this process: a file system that emulates locks may not know them from left-overs."""
_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def open_file(path: Path, flags: int, mode: int = _PRIVATE) -> int:
    """Open a file for writing as `os.open` does, and give back its descriptor.

    Nothing is changed in a file that is refused: it is cut (`os.O_TRUNC`) only once it is known to be the user's own.

    Raises:
        UsageError: a link, a device or another user's file has that name.
        OSError: the system refuses it, as it does with a folder.
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
    """Open an emptied file for writing, readable by its user only. Raises as `open_file`."""
    return os.fdopen(open_file(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb")


def append_private(path: Path) -> TextIO:
    """Open a text file to append lines to, readable by its user only where it is made. Raises as `open_file`."""
    return os.fdopen(open_file(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), "a", encoding="utf-8")


def open_to_read(path: Path) -> BinaryIO:
    """Open a regular file of a run folder for reading, without following a link that somebody put in its place.

    Raises:
        UsageError: no regular file has that name.
        OSError: the system refuses it, FileNotFoundError where there is none.
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
    """Create a file to write to.

    Raises:
        FileExistsError: something has that name already, be it a link that leads nowhere.
        OSError: the system refuses it.
    """
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb")


def create_numbered(folder: Path, prefix: str, suffix: str = "", mode: int = _PRIVATE) -> tuple[Path, BinaryIO]:
    """Create the first of `PREFIX-1SUFFIX`, `PREFIX-2SUFFIX` and so on that is free.

    Raises:
        OSError: the system refuses it.
    """
    for number in count(1):
        path = folder / f"{prefix}-{number}{suffix}"
        with suppress(FileExistsError):
            return path, create_file(path, mode)
    raise AssertionError("unreachable")


def check_own(path: Path) -> None:
    """See to it that a name is free for a file of the user's own, or is one.

    Raises:
        UsageError: a link, a folder, a device, another user's file or one with a second name stands there.
        OSError: the system refuses the look.
    """
    with suppress(FileNotFoundError):
        _check(path, path.lstat())


def check_database(path: Path) -> None:
    """Make an SQLite file that is private to its user, where there is none, and check those that SQLite puts beside it.

    SQLite itself opens it by its name. One that is there is only looked at: closing a descriptor of it would take away
    the locks that another connection of this process holds on it (sqlite.org/howtocorrupt.html, 2.2).

    Raises:
        UsageError: a link, a device or another user's file has one of the names.
        OSError: the system refuses it.
    """
    if path.parts[:1] == ("~",):  # what stands for the user's own folders where there is no home
        raise FileNotFoundError(errno.ENOENT, "there is no home folder to keep it in", str(path))
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for suffix in ("-journal", "-wal", "-shm"):
        check_own(path.with_name(path.name + suffix))
    check_own(path)
    with suppress(FileExistsError):
        create_file(path).close()


def create_beside(path: Path, *, keep_mode: bool = False) -> tuple[Path, int]:
    """Create a file in the folder of `path`, to be renamed into its place, and remove what killed processes left there.

    Args:
        path: what is to be replaced.
        keep_mode: give the new file the permissions of the old one, or those of the user's other files; else it is
            readable by its user only.

    Returns:
        Its path and a descriptor to append by. While that is open the file is locked: so it is known to be in use.
        `release_beside` is called once the file has been renamed or removed.

    Raises:
        UsageError: what is to be replaced is no file of the user's own.
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
        with suppress(OSError):  # a file system without locks: leftovers cannot be recognised there
            fcntl.flock(fd, fcntl.LOCK_EX)
        if beside.exists():
            break
        release_beside(beside)
        os.close(fd)  # somebody took it for left over in the instant before it was locked
    if keep_mode:
        with suppress(OSError):  # there is none yet, or the file system knows no permissions
            os.fchmod(fd, stat.S_IMODE(path.lstat().st_mode))
    return beside, fd


def release_beside(beside: Path) -> None:
    """Forget a file of `create_beside` that has been renamed into place, or removed."""
    _being_written.discard(beside.name)


@contextmanager
def replacing(path: Path, *, keep_mode: bool = False) -> Iterator[BinaryIO]:
    """Write a file beside `path` and rename it into place when the block ends without an error.

    A reader sees the old file or the new one, never half of either, also after a power cut: the content is
    synced before the rename, and the folder after it. Arguments and errors as for `create_beside`.
    """
    with _replacing({"": path}, keep_mode=keep_mode) as files:
        yield files[""]


@contextmanager
def replacing_together(paths: Mapping[str, Path]) -> Iterator[dict[str, BinaryIO]]:
    """As `replacing`, for files of one folder that belong together, by name: none is replaced before all are whole."""
    with _replacing(paths, keep_mode=False) as files:
        yield files


def sync_folder(folder: Path) -> None:
    """Bring a folder's names to the disk: a file that was made or renamed in it can else be gone after a power cut."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some file systems cannot, and keep their names in other ways
            raise
    finally:
        os.close(fd)


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """For work on files of our own: a refusal by the system is reported with its cause and what to do.

    Raises:
        StorageFailed: instead of an OSError; `path` is named where the error names no file.
    """
    try:
        yield
    except OSError as error:
        raise storage_failure(error.filename or path, error) from error


@contextmanager
def in_turn(path: Path) -> Iterator[None]:
    """Wait until no other process, or thread, is in such a block for this file, which is made and stays empty.

    Raises:
        StorageFailed: the file cannot be made.
    """
    with storing(path):
        fd = open_file(path, os.O_RDWR | os.O_CREAT)
        fcntl.flock(fd, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(fd)


def storage_failure(path: Path | str, error: OSError, *, kept: str = "") -> StorageFailed:
    """The error if a file of ours cannot be written.

    Args:
        path: the file.
        error: what the system said.
        kept: what became of the rows, where that is not clear.
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
            with suppress(OSError):  # what could not be written cannot be flushed either
                file.close()
        for new in beside.values():
            release_beside(new)
    for folder in {path.parent for path in paths.values()}:
        sync_folder(folder)


def _check_unless_folder(path: Path) -> None:
    """As `check_own`, but for a folder, of which the system itself says what is wrong."""
    if path.is_symlink() or not path.is_dir():
        check_own(path)


def _check(path: Path, status: os.stat_result) -> None:
    _check_regular(path, status)
    if status.st_uid != os.geteuid():
        raise UsageError(
            f"{path}: belongs to another user (uid {status.st_uid}); it is left as it is",
            hint="copy the folder to have files of your own, or name another file",
        )
    if status.st_nlink > 1:
        raise UsageError(
            f"{path}: has another name (a hard link), under which it would be changed too; it is left as it is",
            hint="put a copy in its place, or name another file",
        )


def _check_regular(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "no regular file")
        raise UsageError(
            f"{path}: is {kind}, where a file is expected; it is left as it is",
            hint="name the file itself, or move this out of the way",
        )


def left_over(folder: Path) -> list[Path]:
    """Files that killed processes began to write beside others, or that others are writing now."""
    return [path for path in folder.iterdir() if _BESIDE.fullmatch(path.name)]


def _random_name() -> str:
    return f".llmbatch-{secrets.token_hex(8)}.new"


def _remove_left_over(folder: Path) -> None:
    """Remove files that killed processes began to write beside others; one that is locked is still being written."""
    with suppress(OSError):
        for name in os.listdir(folder):  # noqa: PTH208 - names are enough
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
