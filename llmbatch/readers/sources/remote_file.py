"""What a file is that another machine has: it is opened over the network, whole or from an offset on."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from msgspec import Struct


class Version(Struct, frozen=True):
    """Which content an address had: by what its server says of it. `size` is in bytes."""

    etag: str | None = None
    size: int | None = None
    modified: str | None = None
    """As the server writes it."""

    def is_same(self, other: "Version") -> bool:
        """Whether both are known to be the same content. Where the server says too little, they are not."""
        if self.size != other.size and None not in (self.size, other.size):
            return False
        if self.etag or other.etag:
            return bool(self.etag and other.etag) and _opaque(self.etag) == _opaque(other.etag)
        return self.modified is not None and self.modified == other.modified and self.size == other.size

    @property
    def strong_etag(self) -> str | None:
        """The entity tag, if it stands for the very bytes (RFC 9110, 8.8.1)."""
        return None if self.etag is None or self.etag.startswith("W/") else self.etag


def _opaque(etag: str | None) -> str:
    return (etag or "").removeprefix("W/")


@dataclass(frozen=True, slots=True)
class Begun:
    """The beginning of a file that is here already: so many bytes of that version."""

    version: Version
    size: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What comes from an address: its bytes from `start` on, or none where `is_unchanged`."""

    version: Version
    start: int = 0
    chunks: Iterator[bytes] = field(default=iter(()), repr=False)
    encoding: str = ""
    """Of the bytes, as the header `Content-Encoding` says it, in lower case."""
    is_unchanged: bool = False


class RemoteFile(Protocol):
    """A file that another machine has."""

    @property
    def name(self) -> str:
        """Its address without secrets."""

    def open(self, *, unless: Version | None, begun: Begun | None) -> AbstractContextManager[Answer]:
        """Ask for its bytes.

        Args:
            unless: the version that is here already, of which nothing need come.
            begun: what is here of it, so that the rest is enough; whether that is what comes, the answer says.

        Raises:
            UsageError: it is not there, or may not be read.
            LostError: the server or the way to it failed, also while the bytes are read.
        """


class LostError(Exception):
    """The server or the way to it failed: it may work at another time. `wait_s` is the server's own wish."""

    def __init__(self, reason: str, *, wait_s: float | None = None, starts_over: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait_s = wait_s
        self.starts_over = starts_over
        """The part already downloaded cannot be continued."""
