"""The bytes of a JSON stream from a place on, with that place's line."""

import re
from collections.abc import Iterator

from llmbatch.readers.faults import RAW_EXCERPT_BYTES, BrokenStream

_SPACE = re.compile(rb"[ \t\r\n\x1e]*+")
"""Separators of RFC 7464 count as space: they stand where values begin."""


class JsonStream:
    """Bytes from the present place on, as many as are needed at a time."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        """Nothing is taken yet from these chunks, which are cut anywhere."""
        self._chunks = chunks
        self.data = bytearray()
        self.at = 0
        """The present place in `data`."""
        self.line = 1
        """Of the present place, from 1."""
        self.indentation: bytes | None = b""
        """What stands before the present place on its line, a comma aside; None where that is a value."""
        self.broken: BrokenStream | None = None
        """Set where no more bytes come since they cannot be read."""

    def more(self) -> bool:
        """Take the next bytes in; those before the present place go."""
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
        """Pass over space; the byte at the present place then, none at the end."""
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
        """Pass over one byte: a comma, or the bracket of a list."""
        self._go_to(self.at + 1)

    def end_value(self, at: int) -> None:
        """Go on behind a value that ends there."""
        self._go_to(at)
        self.indentation = None

    def pass_to(self, at: int, kept: bytearray) -> None:
        """Go on there inside a value of which no more than an excerpt is kept."""
        kept += self.data[self.at : min(at, self.at + RAW_EXCERPT_BYTES - len(kept))]
        self._go_to(at)

    def excerpt(self) -> bytes:
        """The next bytes, as an error keeps them."""
        return bytes(self.data[self.at : self.at + RAW_EXCERPT_BYTES])

    def _go_to(self, at: int) -> None:
        self.line += self.data.count(b"\n", self.at, at)
        self.at = at


def end_of(pattern: re.Pattern[bytes], data: bytearray, at: int) -> int | None:
    """Where a match at this place ends; the match itself would keep `data` from growing."""
    found = pattern.match(data, at)
    return None if found is None else found.end()
