"""The mark by which a user's own run folders are known: a keyed digest of what their records name.

The key is made at the first run and stays in the user's state folder, so that no one who brings a folder can make one.
A folder keeps its mark wherever it is moved or copied to.
"""

import fcntl
import hashlib
import os
import secrets
from collections.abc import Sequence
from hmac import compare_digest
from pathlib import Path

from llmbatch.core.errors import UsageError
from llmbatch.core.files import open_file
from llmbatch.core.jsonlines import dump_line
from llmbatch.core.places import state_folder

_KEY_BYTES = 32


def key_path() -> Path:
    """Where the key is kept."""
    return state_folder() / "folders.key"


def mark_of(named: Sequence[object]) -> str | None:
    """The mark of a record that names this (JSON values), or None where there is no place to keep a key."""
    key = _read_key() or _made_key()
    return None if key is None else _digest(named, key)


def is_marked(named: Sequence[object], mark: str | None) -> bool:
    """Whether this is the mark that the user's own key gives for it."""
    key = None if mark is None else _read_key()
    return key is not None and mark is not None and compare_digest(mark.encode(), _digest(named, key).encode())


def _digest(named: Sequence[object], key: bytes) -> str:
    return hashlib.blake2b(dump_line(named), digest_size=16, key=key).hexdigest()


def _read_key() -> bytes | None:
    try:
        fd = open_file(key_path(), os.O_RDONLY)
    except (OSError, UsageError):
        return None
    with os.fdopen(fd, "rb") as file:
        key = file.read(_KEY_BYTES)
    return key if len(key) == _KEY_BYTES else None


def _made_key() -> bytes | None:
    """The key, made where there is none; the lock is there for processes that all find none."""
    path = key_path()
    if not path.is_absolute():  # a user without a home
        return None
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(open_file(path, os.O_RDWR | os.O_CREAT), "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            key = file.read(_KEY_BYTES)
            if len(key) != _KEY_BYTES:
                key = secrets.token_bytes(_KEY_BYTES)
                file.seek(0)
                file.write(key)
                file.flush()
                os.fsync(file.fileno())
    except (OSError, UsageError):
        return None
    return key


def belongs_to_user(path: Path) -> bool:
    """Whether a file or folder is the user's own."""
    return path.stat().st_uid == os.geteuid()
