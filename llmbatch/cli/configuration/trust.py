"""Which configuration files the user trusts: those that `llmbatch config trust` was run on, with the same content.

A folder from someone else, such as a cloned repository, may contain a configuration that sends the user's key to
another host or runs a command. Such options therefore apply only if the state folder has a digest of the file.
"""

import hashlib
from pathlib import Path

from llmbatch.core.errors import UsageError
from llmbatch.core.files import append_private
from llmbatch.core.places import state_folder


def is_trusted(path: Path, content: bytes) -> bool:
    """Whether the user trusts a file at this place with this content."""
    try:
        return _digest(path, content) in _list().read_text().split()
    except (OSError, ValueError):
        return False


def trust_file(path: Path, content: bytes) -> None:
    """Trust it from now on, until it changes.

    Raises:
        UsageError: there is no state folder to record it in.
    """
    if is_trusted(path, content):
        return
    try:
        _list().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with append_private(_list()) as file:
            file.write(f"{_digest(path, content)}\n")
    except OSError as error:
        raise UsageError(
            f"{_list()}: cannot be written ({error.strerror}): the file is not trusted",
            hint="set its options by environment variables instead",
        ) from None


def _list() -> Path:
    return state_folder() / "trusted-configurations"


def _digest(path: Path, content: bytes) -> str:
    return hashlib.sha256(bytes(path.resolve()) + b"\0" + content).hexdigest()
