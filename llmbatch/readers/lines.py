r"""Splits bytes into lines. Lines end only at `\n`: U+2028, U+0085 and form feeds are text."""

from collections import deque
from collections.abc import Iterator, Sequence

from llmbatch.readers.faults import RAW_EXCERPT_BYTES, BrokenStream, Fault

Line = bytes | Fault


def line_blocks(chunks: Iterator[bytes], limit: int) -> Iterator[list[Line]]:
    r"""The lines of a stream, without their `\n`, in blocks as they arrive.

    Args:
        chunks: the stream's bytes, cut anywhere.
        limit: in bytes; of a longer line, only the beginning is kept, in a fault `too_large`.

    A stream that breaks yields one last fault, with the beginning of the line that was cut off.
    """
    held = _Held(limit)
    try:
        for chunk in chunks:
            first, *whole = chunk.split(b"\n")
            held.add(first)
            if whole:
                last = whole.pop()
                yield [held.take(), *(line if len(line) <= limit else _too_large(line, limit) for line in whole)]
                held.add(last)
    except BrokenStream as broken:
        yield [Fault(broken.kind, broken.message, held.excerpt())]
        return
    if held.size:
        yield [held.take()]


class Lines:
    """Lines one by one, with their numbers; lines can be given back, for looking ahead."""

    def __init__(self, chunks: Iterator[bytes], limit: int) -> None:
        self._blocks = line_blocks(chunks, limit)
        self._ready: deque[Line] = deque()
        self.number = 0
        """The number of the last line taken, from 1."""

    def take(self) -> Line | None:
        """The next line, None at the end."""
        if not self._ready:
            block = next(self._blocks, None)
            if block is None:
                return None
            self._ready.extend(block)
        self.number += 1
        return self._ready.popleft()

    def ahead(self, most: int, *, waits: bool) -> list[Line]:
        """The next lines without taking them.

        Args:
            most: how many at most.
            waits: wait for all of them; otherwise return those that have arrived, at least one unless the stream ended.
        """
        taken: list[Line] = []
        while len(taken) < most and (waits or not taken or self._ready) and (line := self.take()) is not None:
            taken.append(line)
        self.give_back(taken)
        return taken

    def give_back(self, lines: Sequence[Line]) -> None:
        """Put back the last lines taken, in their order."""
        self._ready.extendleft(reversed(lines))
        self.number -= len(lines)


class _Held:
    """A line that has not ended yet; beyond the limit, only its beginning is held."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._holds = max(limit, RAW_EXCERPT_BYTES)
        self._parts: list[bytes] = []
        self.size = 0

    def add(self, part: bytes) -> None:
        if self.size <= self._holds:
            self._parts.append(part)
            if self.size + len(part) > self._holds:
                self._parts = [self.excerpt()]
        self.size += len(part)

    def take(self) -> Line:
        line = b"".join(self._parts)
        is_small = self.size <= self._limit
        self._parts, self.size = [], 0
        return line if is_small else _too_large(line, self._limit)

    def excerpt(self) -> bytes:
        return b"".join(self._parts)[:RAW_EXCERPT_BYTES]


def _too_large(line: bytes, limit: int) -> Fault:
    return Fault("too_large", f"is longer than {limit:,} bytes", line[:RAW_EXCERPT_BYTES])
