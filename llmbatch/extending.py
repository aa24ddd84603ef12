"""What plug-ins are written with: the same names in all versions, wherever their definitions are."""

from llmbatch.core.ledger_line import LedgerLine
from llmbatch.core.models import OutputMode
from llmbatch.core.usage import Usage
from llmbatch.observe.events import Event
from llmbatch.observe.observer import Observer, RunStarted
from llmbatch.observe.progress import Progress
from llmbatch.observe.summary import Summary
from llmbatch.provider.completion import Completion, ErrorInAnswerError, NotACompletionError
from llmbatch.provider.dialect import ChatCompletions, Dialect, Encoder
from llmbatch.provider.failures import Action, Billed, Failure
from llmbatch.provider.limits import StatedLimit
from llmbatch.provider.request import Question, RequestEncoder
from llmbatch.provider.shape import RequestShape
from llmbatch.readers.formats.format import Content, Format, Parsed, Records, Unread
from llmbatch.readers.options import ReaderOptions
from llmbatch.runs.outputs.formats import OutputFormat
from llmbatch.runs.outputs.writers import RecordWriter

__all__ = [
    "Action",
    "Billed",
    "ChatCompletions",
    "Completion",
    "Content",
    "Dialect",
    "Encoder",
    "ErrorInAnswerError",
    "Event",
    "Failure",
    "Format",
    "LedgerLine",
    "NotACompletionError",
    "Observer",
    "OutputFormat",
    "OutputMode",
    "Parsed",
    "Progress",
    "Question",
    "ReaderOptions",
    "RecordWriter",
    "Records",
    "RequestEncoder",
    "RequestShape",
    "RunStarted",
    "StatedLimit",
    "Summary",
    "Unread",
    "Usage",
]
