"""How the values of a JSON input are arranged: one per line, or in another way. The first value shows it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import orjson

from llmbatch.core.errors import UsageError
from llmbatch.readers.faults import BadRow, BrokenStream
from llmbatch.readers.fields import listed
from llmbatch.readers.formats.json_extent import Extent

_MOST_LOOKED_AT = 1024 * 1024
"""The most bytes that are held back until the first value has ended."""
_SPACE = b" \t\r\n"
_EMPTY_OBJECTS = re.compile(rb"\A(?:\s*+\{\s*+\}[ \t\r]*+\n)++")
"""Values that are on one line however the others are written."""
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[{}\[\]:]')
_DEEPEST_LIST = 3
_DOCUMENT_NAMES = frozenset({"text", "content", "body", "document", "message", "comment", "review", "full_text"})
"""An object with one of these is a document, whatever lists it has."""


@dataclass(frozen=True, slots=True)
class Shape:
    """`has_lines` if each line is a value; otherwise `path` leads to the array of values if objects contain it."""

    has_lines: bool
    path: tuple[str, ...] = ()


LINES, VALUES = Shape(has_lines=True), Shape(has_lines=False)


def detected_shape(file: str, chunks: Iterator[bytes], texts: tuple[str, ...]) -> tuple[Shape, Iterator[bytes]]:
    """The shape of a stream, and the whole stream again. No more of it is read than necessary.

    Args:
        file: the input's name.
        chunks: its bytes.
        texts: the text fields that the user names.

    Raises:
        UsageError: it is one object with several lists of objects.
    """
    look = _Look(file, texts)
    taken: list[bytes] = []
    try:
        for chunk in chunks:
            taken.append(chunk)
            if (shape := look.at(chunk)) is not None:
                return shape, chain(taken, chunks)
    except BrokenStream as broken:
        return look.at_end(), _broken_after(taken, broken)
    return look.at_end(), iter(taken)


def _broken_after(taken: list[bytes], broken: BrokenStream) -> Iterator[bytes]:
    yield from taken
    raise broken


class _Look:
    """Examines a stream's beginning until the shape is known."""

    def __init__(self, file: str, texts: tuple[str, ...]) -> None:
        self._file = file
        self._texts = texts
        self._head = bytearray()
        self._extent = Extent()
        self._blank = 0
        self._start = -1
        self._followed = 0
        self._end = 0
        """Position after the first value that has members; 0 while that is not known."""

    def at(self, chunk: bytes) -> Shape | None:
        """Examine the next bytes too; returns None if more are needed."""
        head = self._head
        head += chunk
        if self._start < 0:
            begun = _EMPTY_OBJECTS.sub(b"", bytes(head), count=1).lstrip(_SPACE)
            if not begun:
                self._blank += len(head)
                head.clear()
                return None if self._blank < _MOST_LOOKED_AT else LINES
            if begun[:1] != b"{":
                return VALUES if begun[:1] in {b"[", b"\x1e", b"/"} else LINES
            self._start = self._followed = len(head) - len(begun)
        if not self._end:
            try:
                self._followed, is_whole = self._extent.follow(head, self._followed)
            except BadRow:
                return LINES
            if not is_whole:
                return None if len(head) < _MOST_LOOKED_AT else self._long()
            self._end = self._followed
        return self._behind_value()

    def at_end(self) -> Shape:
        """The shape at the end of the stream."""
        if self._start < 0:
            return LINES
        path = self._list_inside() if self._end else None
        if path is not None:
            return Shape(has_lines=False, path=path)
        return VALUES if not self._end or b"\n" in self._value() else LINES

    def _value(self) -> bytes:
        return bytes(self._head[self._start : self._end])

    def _behind_value(self) -> Shape | None:
        """The shape by what follows the first value."""
        rest = bytes(self._head[self._end :])
        is_long = b"\n" in self._value()
        line, newline, _ = rest.partition(b"\n")
        if line.strip(_SPACE):
            return VALUES if is_long or line.lstrip(_SPACE)[:1] in {b"{", b"[", b"\x1e"} else LINES
        if not newline and not is_long:
            return None
        if not rest.strip(_SPACE) and self._lists_inside():
            return None
        return VALUES if is_long else LINES

    def _long(self) -> Shape:
        """The shape by the beginning of a first value that has not ended."""
        names, path = _open_list(bytes(self._head[self._start :]))
        is_inside = path and not self._is_document(dict.fromkeys(names, ""))
        return Shape(has_lines=False, path=path) if is_inside else VALUES

    def _list_inside(self) -> tuple[str, ...] | None:
        """The path to the list of objects in the only value.

        Raises:
            UsageError: it has several.
        """
        paths = self._lists_inside()
        if len(paths) > 1:
            raise UsageError(
                f"{self._file}: one object with several lists: {listed(['.'.join(path) for path in paths])}",
                hint="extract the one that holds the documents, for example with jq '.NAME[]'",
            )
        return paths[0] if paths else None

    def _lists_inside(self) -> list[tuple[str, ...]]:
        try:
            value = orjson.loads(self._value())
        except orjson.JSONDecodeError:
            return []
        return [] if self._is_document(value) else list(_lists(value, ()))

    def _is_document(self, value: dict[str, Any]) -> bool:
        if any(text.partition(".")[0].partition("[")[0] in value for text in self._texts):
            return True
        return any(name.casefold() in _DOCUMENT_NAMES and isinstance(text, str) for name, text in value.items())


def _lists(value: dict[str, Any], path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The paths to lists of objects."""
    for name, inner in value.items():
        if isinstance(inner, list) and inner and all(isinstance(one, dict) for one in inner):
            yield (*path, name)
        elif isinstance(inner, dict) and len(path) + 1 < _DEEPEST_LIST:
            yield from _lists(inner, (*path, name))


def _open_list(head: bytes) -> tuple[list[str], tuple[str, ...]]:
    """For an object that is cut off: its own names so far, and the path to the list that is open at the cut."""
    opened: list[tuple[bytes, str]] = []
    names: list[str] = []
    word = name = ""
    for token in _TOKEN.findall(head):
        if token == b":":
            name = word
            if len(opened) == 1:
                names.append(name)
        elif token in {b"{", b"["}:
            opened.append((token, name))
        elif token in {b"}", b"]"}:
            opened.pop()
        else:
            word = token[1:-1].decode("utf-8", "replace")
    lists = [depth for depth, (bracket, _) in enumerate(opened) if bracket == b"["]
    return names, tuple(name for _, name in opened[1 : lists[0] + 1]) if lists else ()
