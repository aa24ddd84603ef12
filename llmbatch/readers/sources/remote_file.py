"""The interface of a remote file, which is opened over the network, as a whole or from an offset."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from msgspec import Struct


class Version(Struct, frozen=True):
    """The version of an address's content, as its server states it. `size` is in bytes."""

    etag: str | None = None
    size: int | None = None
    modified: str | None = None
    """As the server writes it."""

    def is_same(self, other: "Version") -> bool:
        """Whether both are known to be the same content; False if the server states too little."""
        if self.size != other.size and None not in (self.size, other.size):
            return False
        if self.etag or other.etag:
            return bool(self.etag and other.etag) and _opaque(self.etag) == _opaque(other.etag)
        return self.modified is not None and self.modified == other.modified and self.size == other.size

    @property
    def strong_etag(self) -> str | None:
        """The entity tag, if it identifies the exact bytes (RFC 9110, 8.8.1)."""
        return None if self.etag is None or self.etag.startswith("W/") else self.etag


def _opaque(etag: str | None) -> str:
    return (etag or "").removeprefix("W/")


@dataclass(frozen=True, slots=True)
class Begun:
    """The local beginning of a file: the number of bytes, and their version."""

    version: Version
    size: int


@dataclass(frozen=True, slots=True)
class Answer:
    """A response: the bytes from `start` on, or none if `is_unchanged`."""

    version: Version
    start: int = 0
    chunks: Iterator[bytes] = field(default=iter(()), repr=False)
    encoding: str = ""
    """Compression of the bytes, from the header `Content-Encoding`, in lower case."""
    is_unchanged: bool = False


class RemoteFile(Protocol):
    """A file on another machine."""

    @property
    def name(self) -> str:
        """Its address without secrets."""

    def open(self, *, unless: Version | None, begun: Begun | None) -> AbstractContextManager[Answer]:
        """Request its bytes.

        Args:
            unless: the version of the local copy; if the file is unchanged, nothing is sent.
            begun: the local beginning, so that only the rest is needed; the answer says whether it is the rest.

        Raises:
            UsageError: it does not exist, or may not be read.
            LostError: the server or the connection failed, also while the bytes are read.
        """


class LostError(Exception):
    """The server or the connection failed, perhaps temporarily. `wait_s` is the wait that the server requests."""

    def __init__(self, reason: str, *, wait_s: float | None = None, starts_over: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait_s = wait_s
        self.starts_over = starts_over
        """The part already downloaded cannot be continued."""
