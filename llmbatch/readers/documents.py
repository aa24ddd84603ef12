"""The documents of a folder, one per file: opened one by one; each unreadable one is a rejection."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from llmbatch.core.filenames import stored
from llmbatch.core.plurals import counted
from llmbatch.readers.faults import UNREADABLE, DoubtfulEncodingError, NotOpenedError
from llmbatch.readers.folders import document_files
from llmbatch.readers.formats import DOCUMENT_FIELDS, Parsed, Records, Unread, format_of_file
from llmbatch.readers.identity import ByteWatch, FilesWatch
from llmbatch.readers.inputs import Input
from llmbatch.readers.options import ReaderOptions
from llmbatch.readers.stream import open_input

FORMAT_NAME = "documents"


def read_documents(item: Input, options: ReaderOptions, watch: ByteWatch | None) -> Records:
    """The documents of a folder or a pattern, in the order of their names, lazily.

    Args:
        item: the folder.
        options: how the files are read.
        watch: receives the files once they are all read.

    Raises:
        UsageError: a folder cannot be read, or the library that reads the files is not installed.
    """
    encodings: Counter[str] = Counter()
    items = _documents(item, options, watch, encodings)

    def at_end() -> tuple[str, ...]:
        return tuple(f"{counted(count, 'document')} in {encoding}" for encoding, count in sorted(encodings.items()))

    return Records(items, DOCUMENT_FIELDS, ("one document a file",), at_end=at_end)


def count_documents(item: Input) -> int:
    """How many documents there are, including unreadable ones."""
    return sum(1 for _ in document_files(item))


def _documents(
    item: Input, options: ReaderOptions, watch: ByteWatch | None, encodings: Counter[str]
) -> Iterator[Parsed | Unread]:
    files = None if watch is None else FilesWatch()
    for name, path in document_files(item):
        found = _document(path, item, options, files, encodings)
        document_id = stored(name)
        if files is not None:
            files.end_file(name)
        if isinstance(found, Unread):
            yield Unread(found.line, found.raw, found.kind, found.message, {"id": document_id})
        else:
            line, raw, fields, flags = found
            yield line, raw, {**fields, "id": document_id}, flags
    if watch is not None and files is not None:
        watch.read_files(item, files.identity())


def _document(
    path: str, item: Input, options: ReaderOptions, files: FilesWatch | None, encodings: Counter[str]
) -> Parsed | Unread:
    file_format = item.format or format_of_file(path)
    if file_format is None:
        raise ValueError(f"{path} has no format")
    member = Input(name=path, path=Path(path), format=file_format, size=None)
    try:
        opened = open_input(member, options, files)
        records = file_format.read(opened.content, replace(options, input_format=file_format.name))
    except NotOpenedError as error:
        return Unread(1, b"", UNREADABLE, error.message.removeprefix(f"{member.label}: "))
    except DoubtfulEncodingError as error:
        return Unread(1, b"", "bad_encoding", error.message.removeprefix(f"{member.label}: "))
    if opened.content.encoding not in (None, "utf-8"):
        encodings[str(opened.content.encoding)] += 1
    return next(iter(records.items))
