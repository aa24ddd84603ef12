"""The mark that identifies a user's own run folders: a keyed digest of what their records name.

The key is created at the first run and stays in the user's state folder, so nobody else can create a mark. A folder
keeps its mark wherever it is moved or copied to.
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
    """The file of the key."""
    return state_folder() / "folders.key"


def mark_of(named: Sequence[object]) -> str | None:
    """The mark of a record that names this (JSON values), or None if there is no place to keep a key."""
    key = _read_key() or _made_key()
    return None if key is None else _digest(named, key)


def is_marked(named: Sequence[object], mark: str | None) -> bool:
    """Whether this is the mark for it with the user's own key."""
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
    """The key, created if there is none; the lock is for processes that find none at the same time."""
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
