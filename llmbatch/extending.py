"""What plug-ins are written with: the same names in all versions, wherever their definitions are."""

from llmbatch.core.ledger_line import LedgerLine
from llmbatch.observe.events import Event
from llmbatch.observe.observer import Observer, RunStarted
from llmbatch.observe.progress import Progress
from llmbatch.observe.summary import Summary
from llmbatch.readers.formats.format import Content, Format, Parsed, Records, Unread
from llmbatch.readers.options import ReaderOptions
from llmbatch.runs.outputs.formats import OutputFormat
from llmbatch.runs.outputs.writers import RecordWriter

__all__ = [
    "Content",
    "Event",
    "Format",
    "LedgerLine",
    "Observer",
    "OutputFormat",
    "Parsed",
    "Progress",
    "ReaderOptions",
    "RecordWriter",
    "Records",
    "RunStarted",
    "Summary",
    "Unread",
]
