"""The bytes of a JSON stream from a position on, with that position's line."""

import re
from collections.abc import Iterator

from llmbatch.readers.faults import RAW_EXCERPT_BYTES, BrokenStream

_SPACE = re.compile(rb"[ \t\r\n\x1e]*+")
"""Separators of RFC 7464 count as space: they precede values."""


class JsonStream:
    """Bytes from the current position on, read as they are needed."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        """`chunks` may be cut anywhere."""
        self._chunks = chunks
        self.data = bytearray()
        self.at = 0
        """The current position in `data`."""
        self.line = 1
        """The line of the current position, from 1."""
        self.indentation: bytes | None = b""
        """What precedes the current position on its line, apart from a comma; None if that is a value."""
        self.broken: BrokenStream | None = None
        """Set if no more bytes can be read."""

    def more(self) -> bool:
        """Add the next bytes; those before the current position are dropped."""
        try:
            chunk = next(self._chunks, None)
        except BrokenStream as broken:
            self.broken, chunk = broken, None
        if chunk is None:
            return False
        if self.at:
            del self.data[: self.at]
            self.at = 0
        self.data += chunk
        return True

    def next_byte(self) -> bytes:
        """Skip space; returns the byte at the new position, or nothing at the end."""
        while True:
            start, end = self.at, end_of(_SPACE, self.data, self.at) or self.at
            if (newline := self.data.rfind(b"\n", start, end)) >= 0:
                self.indentation, start = b"", newline + 1
            if self.indentation is not None:
                self.indentation += self.data[start:end].replace(b"\x1e", b"")
            self._go_to(end)
            if end < len(self.data):
                return bytes(self.data[end : end + 1])
            if not self.more():
                return b""

    def skip(self) -> None:
        """Skip one byte: a comma, or the bracket of a list."""
        self._go_to(self.at + 1)

    def end_value(self, at: int) -> None:
        """Continue after a value that ends there."""
        self._go_to(at)
        self.indentation = None

    def pass_to(self, at: int, kept: bytearray) -> None:
        """Continue there, inside a value of which only an excerpt is kept."""
        kept += self.data[self.at : min(at, self.at + RAW_EXCERPT_BYTES - len(kept))]
        self._go_to(at)

    def excerpt(self) -> bytes:
        """The next bytes, for an error."""
        return bytes(self.data[self.at : self.at + RAW_EXCERPT_BYTES])

    def _go_to(self, at: int) -> None:
        self.line += self.data.count(b"\n", self.at, at)
        self.at = at


def end_of(pattern: re.Pattern[bytes], data: bytearray, at: int) -> int | None:
    """The end of a match at this position; keeping the match object would prevent `data` from growing."""
    found = pattern.match(data, at)
    return None if found is None else found.end()
