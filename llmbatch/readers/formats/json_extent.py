"""Finds where a JSON value ends, by following brackets and strings and ignoring everything else.

Each byte of a value is examined only once, even if the value arrives in many pieces, so a row of any length is found in
linear time. Whether it is valid JSON shows when it is parsed.
"""

import re

from llmbatch.readers.faults import BadRow

_PLAIN = re.compile(rb'(?:[^"{}\[\]]++|"(?:[^"\\\n]++|\\[^\n])*+")*+')
"""The bytes between two brackets; it also stops at a string that does not end within these bytes or on its line."""
_IN_STRING = re.compile(rb'(?:[^"\\\n]++|\\[^\n])*+')
_QUOTE, _BACKSLASH, _NEWLINE = b'"\\\n'
_CLOSED_BY = {ord("{"): ord("}"), ord("["): ord("]")}
_SPACE = b" \t\r\n"


class Extent:
    """Follows one object or array from its first bracket to its last."""

    def __init__(self, *, newlines_in_strings: bool = False) -> None:
        """Start at the first bracket.

        Args:
            newlines_in_strings: whether a string may span lines, which is not JSON but occurs.
        """
        self._takes_newlines = newlines_in_strings
        self._closers = bytearray()
        self._in_string = False
        self._before = 0
        """The last byte before the current position that is not white space: it determines what may follow."""
        self.bad_at = 0
        """Position where the data stopped being a value, after `follow` has raised."""

    def follow(self, data: bytes | bytearray, at: int) -> tuple[int, bool]:
        """Continue at a position in `data`; the first time, at the first bracket.

        Returns:
            The position after the last bracket and True, or how far `data` was followed and False.

        Raises:
            BadRow: no value can look like this.
        """
        while at < len(data):
            if self._in_string:
                at = self._end_of_string(data, at)
                if data[at : at + 2] in (b"", b"\\"):
                    return at, False
                continue
            end = _PLAIN.match(data, at).end()  # type: ignore[union-attr] # it matches everywhere
            self._note_before(data, at, end)
            if end == len(data):
                return end, False
            at = end + 1
            if data[end] == _QUOTE:
                self._in_string = True
            elif self._bracket(data[end], end):
                return at, True
        return at, False

    def _end_of_string(self, data: bytes | bytearray, at: int) -> int:
        end = _IN_STRING.match(data, at).end()  # type: ignore[union-attr]
        if end == len(data) or (data[end] == _BACKSLASH and end + 1 == len(data)):
            return end
        if data[end] == _QUOTE:
            self._in_string, self._before = False, _QUOTE
            return end + 1
        if not self._takes_newlines:
            raise self._bad(end, "a string does not end on its line")
        return end + 1 if data[end] == _NEWLINE else end + 2

    def _note_before(self, data: bytes | bytearray, start: int, end: int) -> None:
        while end > start and data[end - 1] in _SPACE:
            end -= 1
        if end > start:
            self._before = data[end - 1]

    def _bad(self, at: int, message: str) -> BadRow:
        self.bad_at = at
        return BadRow("bad_json", message)

    def _bracket(self, bracket: int, at: int) -> bool:
        """Process the bracket at this position; returns whether it is the last one."""
        closer = _CLOSED_BY.get(bracket)
        if closer is None:
            if self._closers.pop() != bracket:
                raise self._bad(at, "its brackets do not match")
        else:
            if self._closers and self._before not in (b":" if self._closers[-1] == ord("}") else b"[,"):
                raise self._bad(at, "a bracket is not closed before the next one opens")
            self._closers.append(closer)
        self._before = bracket
        return not self._closers
