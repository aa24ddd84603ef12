"""JSON values that are not one per line: arrays, objects over several lines, in succession, RFC 7464's sequences.

The elements of an array count like the values of a stream, so several arrays in succession, such as pages, are one
input. If values begin on lines of their own, damage costs only the value that contains it; otherwise reading ends
there, which is reported.
"""

import re
from collections.abc import Iterator, Sequence

import orjson

from llmbatch.readers.faults import RAW_EXCERPT_BYTES, TORN, BadRow
from llmbatch.readers.formats.format import Unread
from llmbatch.readers.formats.json_extent import Extent
from llmbatch.readers.formats.json_stream import JsonStream, end_of

Value = tuple[int, bytes]
"""A value's first line, and its bytes."""

_SCALAR = re.compile(rb'"(?:[^"\\\n]++|\\[^\n])*+"|[^\s,\[\]{}\x1e"]++')
_LONGEST_SCALAR = 1024 * 1024
"""In bytes: a string on its own is not a row anyway."""
_SPACE_BEFORE_VALUE = 64
"""How many bytes between a newline and a value are examined, in addition to the indentation."""


def json_values(chunks: Iterator[bytes], limit: int, path: Sequence[str] = ()) -> Iterator[Value | Unread]:
    """The values of a stream, unchanged, whether they can be parsed or not.

    Args:
        chunks: the stream's bytes, cut anywhere.
        limit: in bytes; of a longer value, only the beginning is kept.
        path: the names of the objects that contain the array of values, from the outermost; empty without such objects.
    """
    stream = JsonStream(chunks)
    line, raw, message = 0, b"", ""
    try:
        yield from _Values(stream, limit).of(path)
    except _EndError as end:
        line, raw, message = end.line, end.raw, end.message
    if stream.broken is None:
        if message:
            yield Unread(line, raw, "bad_json", message)
    elif stream.broken.kind != TORN:
        yield Unread(line or stream.line, raw, stream.broken.kind, stream.broken.message)


class _EndError(Exception):
    """Nothing can be read from here on."""

    def __init__(self, line: int, raw: bytes, message: str) -> None:
        super().__init__(message)
        self.line, self.raw, self.message = line, raw, message


class _Values:
    """Goes through a stream value by value."""

    def __init__(self, stream: JsonStream, limit: int) -> None:
        self._stream = stream
        self._limit = limit
        self._is_after_damage = False

    def of(self, path: Sequence[str]) -> Iterator[Value | Unread]:
        """All values, or the elements of one array; what surrounds it is skipped."""
        for name in path:
            self._enter(name)
        if path and self._stream.next_byte() != b"[":
            raise self._end(f"there is no list under {'.'.join(path)!r}")
        while byte := self._stream.next_byte():
            if byte == b"[":
                self._stream.skip()
                yield from self._elements()
                if path:
                    self._behind_list(len(path))
                    return
            else:
                yield self._value() if byte == b"{" else self._scalar()

    def _elements(self) -> Iterator[Value | Unread]:
        """The elements of an array up to its closing bracket."""
        stream, is_first, comma_at, has_reported_comma = self._stream, True, 0, False
        while (byte := stream.next_byte()) != b"]":
            if not byte:
                raise self._end("the input ends before the list does: the rest is missing")
            if byte == b",":
                if is_first or comma_at:
                    yield Unread(stream.line, b",", "bad_json", "there is an extra comma")
                is_first, comma_at = False, stream.line
                stream.skip()
                continue
            if not (is_first or comma_at or self._is_after_damage or has_reported_comma):
                has_reported_comma = True
                yield Unread(stream.line, b"", "bad_json", "the values of this list have no commas between them")
            is_first, comma_at, self._is_after_damage = False, 0, False
            yield self._value() if byte in b"{[" else self._scalar()
        if comma_at:
            yield Unread(comma_at, b",", "bad_json", "there is a comma before the bracket that closes the list")
        stream.skip()

    def _value(self) -> Value | Unread:
        """The object or array that begins at the current position."""
        stream, line, extent = self._stream, self._stream.line, Extent()
        kept, passed, length = bytearray(), 0, 0
        while True:
            try:
                at, is_whole = extent.follow(stream.data, stream.at + length)
            except BadRow as bad:
                length = extent.bad_at - stream.at
                return self._damaged(line, kept, bad.message, length, is_long=passed + length > self._limit)
            length = at - stream.at
            if passed + length > self._limit:
                # The next value may begin on the line that damage is found on.
                passed_to = at if is_whole else max(at - self._margin(), stream.at)
                passed, length = passed + passed_to - stream.at, at - passed_to
                stream.pass_to(passed_to, kept)
            if is_whole:
                raw = bytes(stream.data[stream.at : at])
                stream.end_value(at)
                if kept:
                    return Unread(line, bytes(kept), "too_large", f"is longer than {self._limit:,} bytes")
                return line, raw
            if not stream.more():
                raise _EndError(line, self._excerpt(kept), "the input ends inside this value")

    def _margin(self) -> int:
        """How many bytes may be between the end of a line and the value that begins on the next one."""
        return len(self._stream.indentation or b"") + _SPACE_BEFORE_VALUE

    def _excerpt(self, kept: bytearray) -> bytes:
        """The excerpt of a value in which the input ends."""
        self._stream.pass_to(len(self._stream.data), kept)
        return bytes(kept)

    def _damaged(self, line: int, kept: bytearray, message: str, length: int, *, is_long: bool) -> Unread:
        """Reject the value at the current position, and continue with the next one that begins on a line like this one.

        Args:
            line: the value's first line.
            kept: its beginning, as far as it has been skipped.
            message: what is wrong with it.
            length: bytes from the current position to the damage.
            is_long: it exceeds the maximum length of a row, so no value inside it is searched for.
        """
        stream, indentation = self._stream, self._stream.indentation
        if indentation is None:
            return self._damaged_among_others(line, kept, message, is_long=is_long)
        begins = re.compile(rb"(?s:.*?)(?:\n" + re.escape(indentation) + rb"(?:,[ \t]*)?(?=[{\[])|(?=\x1e))")
        first = stream.at if kept else stream.at + 1
        stream.pass_to(max(first, stream.at + length - self._margin()) if is_long else first, kept)
        while (end := end_of(begins, stream.data, stream.at)) is None:
            stream.pass_to(max(len(stream.data) - self._margin(), stream.at), kept)
            if not stream.more():
                raise _EndError(line, self._excerpt(kept), f"{message}; no other value begins after it")
        stream.pass_to(end, kept)
        stream.end_value(end)
        stream.indentation = indentation
        self._is_after_damage = True
        return Unread(line, bytes(kept).rstrip(b" \t\r\n,"), "bad_json", message)

    def _damaged_among_others(self, line: int, kept: bytearray, message: str, *, is_long: bool) -> Unread:
        """Reject a value if lines do not separate values: only a string that contains a line end can be skipped."""
        stream, extent, length, is_whole = self._stream, Extent(newlines_in_strings=True), 0, False
        raw = bytes(kept) or stream.excerpt()
        try:
            while not is_whole and not is_long:
                at, is_whole = extent.follow(stream.data, stream.at + length)
                length = at - stream.at
                is_long = length > self._limit
                if not is_whole and not stream.more():
                    break
        except BadRow:
            is_whole = False
        if is_whole and not is_long:
            raw = raw[:length]
            stream.end_value(stream.at + length)
            if stream.next_byte() in {b",", b"]", b""}:
                return Unread(line, raw, "bad_json", message)
        raise _EndError(line, raw, f"{message}: the rest cannot be separated into rows and is not read")

    def _scalar(self) -> Value | Unread:
        """The value at the current position that is neither an object nor an array."""
        stream, line = self._stream, self._stream.line
        raw = self._taken_scalar()
        try:
            orjson.loads(raw)
        except orjson.JSONDecodeError:
            kept = bytearray(raw[:RAW_EXCERPT_BYTES])
            while (newline := stream.data.find(b"\n", stream.at)) < 0:
                stream.pass_to(len(stream.data), kept)
                if not stream.more():
                    break
            stream.pass_to(max(newline, stream.at), kept)
            self._is_after_damage = True
            return Unread(line, bytes(kept), "bad_json", "is not JSON: no value starts like this")
        return line, raw

    def _taken_scalar(self) -> bytes:
        """The string, number or word at the current position; one byte if there is none."""
        stream = self._stream
        while True:
            end = end_of(_SCALAR, stream.data, stream.at)
            if end is None:
                is_open = stream.data[stream.at] == ord('"') and stream.data.find(b"\n", stream.at) < 0
            else:
                is_open = end == len(stream.data)
            if not is_open or len(stream.data) - stream.at > _LONGEST_SCALAR or not stream.more():
                break
        end = end or stream.at + 1
        raw = bytes(stream.data[stream.at : end])
        stream.end_value(end)
        return raw

    def _enter(self, name: str) -> None:
        """Move to the value of this name in the object that begins here."""
        if self._stream.next_byte() != b"{":
            raise self._end(f"there is no object with {name!r} in it")
        self._stream.skip()
        while (found := self._member()) is not None:
            if found == name:
                return
            self._pass_over()
        raise self._end(f"there is no {name!r}")

    def _behind_list(self, depth: int) -> None:
        """Move to the end of the objects around a list: nothing that could be read may follow."""
        for _ in range(depth):
            while self._member() is not None:
                self._pass_over()
            if self._stream.next_byte() != b"}":
                raise self._end("the input ends before the object around the list does")
            self._stream.skip()
        if self._stream.next_byte():
            raise self._end("what follows the object with the list is not read")

    def _member(self) -> str | None:
        """The name of the object's next member; reading continues after its colon. None if there are no more."""
        stream = self._stream
        if stream.next_byte() == b",":
            stream.skip()
        if stream.next_byte() != b'"':
            return None
        try:
            name = str(orjson.loads(self._taken_scalar()))
        except orjson.JSONDecodeError:
            raise self._end("a name is not a string") from None
        if stream.next_byte() != b":":
            raise self._end(f"no colon follows the name {name!r}")
        stream.skip()
        return name

    def _pass_over(self) -> None:
        """Move past the value that begins here, however long it is."""
        stream, extent, is_whole = self._stream, Extent(), False
        if stream.next_byte() not in {b"{", b"["}:
            self._taken_scalar()
            return
        while not is_whole:
            try:
                at, is_whole = extent.follow(stream.data, stream.at)
            except BadRow as bad:
                raise self._end(bad.message) from None
            stream.end_value(at)
            if not is_whole and not stream.more():
                raise self._end("the input ends too early")

    def _end(self, message: str) -> _EndError:
        return _EndError(self._stream.line, self._stream.excerpt(), message)
