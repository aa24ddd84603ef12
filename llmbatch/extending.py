"""What plug-ins are written with: the same names in all versions, wherever their definitions are."""

from llmbatch.readers.formats.format import Content, Format, Parsed, Records, Unread
from llmbatch.readers.options import ReaderOptions

__all__ = [
    "Content",
    "Format",
    "Parsed",
    "ReaderOptions",
    "Records",
    "Unread",
]
