"""Files of a place by their keys, such as `folder/file.csv`: one, all below a folder, or those that match a pattern."""

import re
from collections.abc import Iterable, Iterator
from typing import Protocol

from llmbatch.core.errors import UsageError
from llmbatch.readers.sources.remote_file import RemoteFile

_MAGIC = re.compile(r"[*?\[]")


class RemotePlace(Protocol):
    """A place with files that have keys: a bucket, a repository."""

    @property
    def name(self) -> str:
        """Its address without secrets, with `/` at its end."""

    def has(self, key: str) -> bool:
        """Whether there is such a file.

        Raises:
            UsageError: the place does not answer.
        """

    def keys(self, folder: str) -> Iterable[str]:
        """The keys of all files below a folder, which ends in `/`; of all files in the place if it is empty.

        Raises:
            UsageError: they may not be listed.
        """

    def file(self, key: str) -> RemoteFile:
        """The file of a key."""


def listed_files(place: RemotePlace, path: str) -> Iterator[tuple[RemoteFile, bool]]:
    """The files that a path in a place stands for, sorted by key, and whether they were listed.

    Args:
        place: where they are.
        path: a key; a folder, with or without a `/` at its end; or a pattern as for files, if it is not itself a key.

    Raises:
        UsageError: there are none.
    """
    if path and not path.endswith("/") and place.has(path):
        yield place.file(path), False
        return
    magic = _MAGIC.search(path)
    if magic is None:
        folder, is_wanted = path.rstrip("/") + "/" if path.strip("/") else "", None
    else:
        folder, is_wanted = path[: path.rfind("/", 0, magic.start()) + 1], pattern(path)
    seen = (key for key in place.keys(folder) if not _is_hidden(key, folder))
    keys = sorted(key for key in seen if is_wanted is None or is_wanted.fullmatch(key))
    if not keys:
        what = "the pattern matches no files" if magic else "no such file, or folder with files in it"
        raise UsageError(f"{place.name}{path}: {what}", hint="check the name: keys are taken literally")
    for key in keys:
        yield place.file(key), True


def is_pattern(path: str) -> bool:
    """Whether it contains a wildcard."""
    return _MAGIC.search(path) is not None


def pattern(path: str) -> re.Pattern[str]:
    """A pattern for file names: `*`, `?` and `[...]` within a part of the path, `**` for any number of parts."""
    *folders, name = path.split("/")
    last = ".*" if name == "**" else _part(name).removesuffix("/")
    return re.compile("".join(map(_part, folders)) + last, re.DOTALL)


def _part(part: str) -> str:
    if part == "**":
        return "(?:.*/)?"
    pieces = re.split(r"(\*+|\?|\[!?\]?[^\]]*\])", part)
    return "".join(map(_piece, pieces)) + "/"


def _piece(piece: str) -> str:
    if piece.startswith("*"):
        return "[^/]*"
    if piece == "?":
        return "[^/]"
    if piece.startswith("[") and piece.endswith("]") and len(piece) > len("[]"):
        inner = piece[1:-1]
        negated, inner = inner.startswith("!"), inner.removeprefix("!")
        escaped = re.sub(r"([\\\]\[^&~|])", r"\\\1", inner)
        return f"(?!/)[{'^' if negated else ''}{escaped}]"
    return re.escape(piece)


def _is_hidden(key: str, folder: str) -> bool:
    """Whether it is hidden, or in a run folder: such files are ignored, as on a disk."""
    parts = key[len(folder) :].split("/")
    return any(part.startswith(".") or part.endswith(".llmbatch") for part in parts)
