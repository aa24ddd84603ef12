"""Formats of other packages, by an entry point `llmbatch.formats`, whose name is the format's name and suffix."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from math import isfinite

from llmbatch.core.plugins import FORMATS, Plugin, find_plugin
from llmbatch.readers.faults import BrokenStream
from llmbatch.readers.formats.format import Content, Format, Parsed, Records, Unread
from llmbatch.readers.options import ReaderOptions

_PARTS: Mapping[str, type | None] = {"is_text": bool, "is_typed": bool, "read": None}


def plugged_format(name: str) -> Format | None:
    """The format of this name, or of files with this suffix; None if no package provides one.

    Raises:
        UsageError: it cannot be used.
    """
    plugin = find_plugin(FORMATS, name)
    if plugin is None:
        return None
    plugin.check(_PARTS)
    return _PluggedFormat(plugin)


class _PluggedFormat:
    """Passes on what a plug-in reads, and names it in errors."""

    def __init__(self, plugin: Plugin) -> None:
        self._plugin = plugin
        self.name = plugin.name
        self.suffixes = (f".{plugin.name}",)
        self.is_text: bool = plugin.part.is_text
        self.is_typed: bool = plugin.part.is_typed

    def read(self, content: Content, options: ReaderOptions) -> Records:
        with self._plugin.blamed(BrokenStream):
            records = self._plugin.part.read(content, options)
        if not isinstance(records, Records):
            raise self._plugin.failure(f"read() gave {type(records).__name__} instead of Records")
        return replace(records, items=self._checked(records.items), at_end=partial(self._remarks, records.at_end))

    def count(self, content: Content, options: ReaderOptions) -> int:
        return sum(1 for _ in self.read(content, options).items)

    def _checked(self, items: Iterator[Parsed | Unread]) -> Iterator[Parsed | Unread]:
        """Each record; if the stream breaks, an `Unread` takes the place of the rest."""
        line = 0
        try:
            with self._plugin.blamed(BrokenStream):
                for item in items:
                    line = self._line(item)
                    yield item
        except BrokenStream as broken:
            yield Unread(line + 1, b"", broken.kind, broken.message)

    def _line(self, item: Parsed | Unread) -> int:
        match item:
            case Unread(line=int(line)):
                return line
            case (int(line), bytes(), Mapping() as fields, tuple()):
                for name, value in fields.items():
                    if type(name) is not str or not _is_json(value):
                        raise self._plugin.failure(f"field {name!r:.40} has a {type(value).__name__}, not a JSON value")
                return line
            case _:
                raise self._plugin.failure(f"a record must be Unread, or (line, bytes, fields, flags): {item!r:.80}")

    def _remarks(self, at_end: Callable[[], tuple[str, ...]]) -> tuple[str, ...]:
        with self._plugin.blamed():
            return at_end()


def _is_json(value: object) -> bool:
    """Whether a value is a JSON value, and not of a derived type, which a file cannot represent."""
    if type(value) is float:
        return isfinite(value)
    if type(value) is list:
        return all(map(_is_json, value))
    if type(value) is dict:
        return all(type(name) is str and _is_json(one) for name, one in value.items())
    return value is None or type(value) in (str, int, bool)
