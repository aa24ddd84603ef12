"""What plug-ins are written with: the same names in all versions, wherever their definitions are."""

from llmbatch.readers.formats.format import Content, Format, Parsed, Records, Unread
from llmbatch.readers.options import ReaderOptions
from llmbatch.runs.outputs.formats import OutputFormat
from llmbatch.runs.outputs.writers import RecordWriter

__all__ = [
    "Content",
    "Format",
    "OutputFormat",
    "Parsed",
    "ReaderOptions",
    "RecordWriter",
    "Records",
    "Unread",
]
