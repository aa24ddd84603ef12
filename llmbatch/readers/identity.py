"""What an input contained when it was read. It shows a run whether a file shrank, grew or was replaced since."""

import base64
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from llmbatch.readers.inputs import Input

FIRST_MARK = 64
"""In bytes."""
_MARK_DIGITS = 16
_FILE_BYTES = 6
"""Length of a digest of a name or of content: among a million files, one change in a hundred million is missed."""


@dataclass(frozen=True, slots=True)
class InputIdentity:
    """An input as it was read to its end; for a compressed one, its compressed bytes."""

    size: int
    digest: str
    marks: tuple[str, ...] = ()
    """Digests of its first 64, 128, 256, ... bytes, which distinguish a truncated file from a different one."""
    inode: int | None = None
    mtime_ns: int | None = None
    files: str | None = None
    """For a folder of documents: digests of each file's name and content, which show which of them are new, gone or
    edited; in Base64, sorted."""

    def began_like(self, other: "InputIdentity") -> bool:
        """Whether both begin with the same bytes, as far as the marks of the shorter one go."""
        common = min(len(self.marks), len(other.marks))
        return self.marks[:common] == other.marks[:common]


@dataclass(frozen=True, slots=True)
class WholeRead:
    """What was read, and the digests of the bytes before the requested offsets."""

    identity: InputIdentity
    at_cut: Mapping[int, str]


class ByteWatch(Protocol):
    """Receives an input's bytes as they are read."""

    def read(self, item: Input, chunk: bytes) -> None:
        """The next bytes."""

    def ended(self, item: Input, status: os.stat_result) -> None:
        """It was read to its end; `status` is the open file's."""

    def read_files(self, item: Input, identity: InputIdentity) -> None:
        """The files of a folder of documents were all read."""


def first_mark(head: bytes) -> str | None:
    """The first of an input's marks, from its first bytes; None if they are too few."""
    begun = _Begun(frozenset())
    begun.add(head)
    return begun.marks[0] if begun.marks else None


class IdentityWatch:
    """Computes the identities of inputs while they are read."""

    def __init__(
        self,
        kept: dict[Input, WholeRead],
        cuts: Callable[[Input], frozenset[int]],
    ) -> None:
        """Start before anything is read.

        Args:
            kept: receives the inputs that were read to their end.
            cuts: returns offsets of an input for which digests are also needed.
        """
        self._kept = kept
        self._cuts = cuts
        self._begun: dict[Input, _Begun] = {}

    def read(self, item: Input, chunk: bytes) -> None:
        """Take the next bytes in."""
        begun = self._begun.get(item)
        if begun is None:
            begun = self._begun[item] = _Begun(self._cuts(item))
        begun.add(chunk)

    def ended(self, item: Input, status: os.stat_result) -> None:
        """Keep what it was."""
        begun = self._begun.pop(item, None) or _Begun(frozenset())
        marks, inode, mtime_ns = tuple(begun.marks), status.st_ino, status.st_mtime_ns
        self._kept[item] = WholeRead(InputIdentity(begun.size, begun.digest(), marks, inode, mtime_ns), begun.at_cut)

    def read_files(self, item: Input, identity: InputIdentity) -> None:
        """Keep what the files were."""
        self._kept[item] = WholeRead(identity, {})


class FilesWatch:
    """Computes the identity of a folder of documents while its files are read one by one."""

    def __init__(self) -> None:
        self._size = 0
        self._content = _content_hash()
        self._entries: list[bytes] = []

    def read(self, item: Input, chunk: bytes) -> None:  # noqa: ARG002 - they are read in turn
        """Take the next bytes of a file in."""
        self._size += len(chunk)
        self._content.update(chunk)

    def ended(self, item: Input, status: os.stat_result) -> None:
        """Do nothing: a file that cannot be read has no end; see `end_file`."""

    def read_files(self, item: Input, identity: InputIdentity) -> None:
        """Do nothing: files are read here, not folders."""

    def end_file(self, name: str) -> None:
        """Finish a file: the following bytes belong to the next one."""
        named = _content_hash(os.fsencode(name))
        self._entries.append(named.digest() + self._content.digest())
        self._content = _content_hash()

    def identity(self) -> InputIdentity:
        """The identity of all files together, in any order."""
        entries = b"".join(sorted(self._entries))
        digest = hashlib.blake2b(entries, digest_size=16).hexdigest()
        return InputIdentity(self._size, digest, files=base64.b64encode(entries).decode())


def gone_and_new(before: str, after: str) -> tuple[bool, bool]:
    """How the files of a folder of documents changed, from one `InputIdentity.files` to another.

    Returns:
        Whether any is gone, and whether the only change is that there are new ones.
    """
    then, now = (set(_entries(files)) for files in (before, after))
    names_now = {entry[:_FILE_BYTES] for entry in now}
    return any(entry[:_FILE_BYTES] not in names_now for entry in then), then <= now


def _entries(files: str) -> Iterator[bytes]:
    joined = base64.b64decode(files)
    return (joined[at : at + 2 * _FILE_BYTES] for at in range(0, len(joined), 2 * _FILE_BYTES))


def _content_hash(content: bytes = b"") -> "hashlib.blake2b":
    return hashlib.blake2b(content, digest_size=_FILE_BYTES)


class _Begun:
    """An input that is being read."""

    def __init__(self, cuts: frozenset[int]) -> None:
        self.size = 0
        self.marks: list[str] = []
        self.at_cut: dict[int, str] = {}
        self._hash = hashlib.blake2b(digest_size=16)
        self._cuts = sorted(cut for cut in cuts if cut)
        self._next_mark = FIRST_MARK

    def digest(self) -> str:
        return self._hash.hexdigest()

    def add(self, chunk: bytes) -> None:
        """Take bytes in."""
        left = memoryview(chunk)
        while left:
            stop = min([self._next_mark, self.size + len(left), *self._cuts[:1]])
            step, left = left[: stop - self.size], left[stop - self.size :]
            self._hash.update(step)
            self.size = stop
            if self._cuts and stop == self._cuts[0]:
                self.at_cut[self._cuts.pop(0)] = self.digest()
            if stop == self._next_mark:
                self.marks.append(self.digest()[:_MARK_DIGITS])
                self._next_mark *= 2
