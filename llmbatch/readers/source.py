"""An open input of any kind: its records, and what is known before the first one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from llmbatch.core.rows import Place, Rejection
from llmbatch.readers.documents import FORMAT_NAME, count_documents, read_documents
from llmbatch.readers.folders import folder_of
from llmbatch.readers.formats import Parsed, Records, Unread
from llmbatch.readers.identity import ByteWatch
from llmbatch.readers.inputs import Input, shown
from llmbatch.readers.options import ReaderOptions
from llmbatch.readers.protected import unprotected
from llmbatch.readers.stream import open_input


@dataclass(frozen=True, slots=True)
class Source:
    """An open input.

    `is_typed` is as in `Format`; `written` describes how it is written, by the names of the options that set this;
    `folder` is the folder of its documents, empty if it is one file.
    """

    file: str
    records: Records = field(repr=False)
    is_typed: bool
    written: Mapping[str, str | int | bool]
    folder: str = ""

    def place(self, found: Parsed | Unread) -> Place:
        """The place of a record: a document of a folder is in a file of its own."""
        line, fields = (found.line, found.fields) if isinstance(found, Unread) else (found[0], found[2])
        return Place(f"{self.folder}/{fields['id']}" if self.folder and fields else self.file, line)

    def rejection(self, index: int, unread: Unread) -> Rejection:
        """The rejection of a record that cannot be read."""
        return Rejection(index, self.place(unread), unread.kind, unread.message, unread.raw, unread.fields)


def open_source(item: Input, options: ReaderOptions, watch: ByteWatch | None = None) -> Source:
    """Open an input.

    Args:
        item: the input.
        options: how it is read.
        watch: receives its bytes as they are read.

    Raises:
        UsageError: it cannot be opened, or cannot be used at all.
    """
    if item.is_folder:
        written: dict[str, str | int | bool] = {"format": FORMAT_NAME}
        return Source(item.label, read_documents(item, options, watch), True, written, _folder(item))
    opened = open_input(item, options, watch)
    records = unprotected(opened.format.read(opened.content, options))
    encoding = {} if opened.content.encoding is None else {"encoding": opened.content.encoding}
    return Source(
        item.label, records, opened.format.is_typed, {"format": opened.format.name, **encoding, **records.written}
    )


def count_items(item: Input, options: ReaderOptions) -> int:
    """How many records `open_source` yields, including unreadable ones, as cheaply as possible.

    Raises:
        UsageError: as `open_source`.
    """
    if item.is_folder:
        return count_documents(item)
    opened = open_input(item, options)
    return opened.format.count(opened.content, options)


def _folder(item: Input) -> str:
    """The folder of the documents, as the input is named."""
    return shown(item.name if Path(str(item.path)).is_dir() else folder_of(item.name)).rstrip("/") or "/"
