"""Records as they are in a file, for files without documents, such as gold labels."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from llmbatch.core.rows import Place, Rejection
from llmbatch.readers.formats import Unread
from llmbatch.readers.inputs import Input
from llmbatch.readers.options import ReaderOptions
from llmbatch.readers.source import open_source


@dataclass(frozen=True, slots=True)
class Record:
    """One object, or one line of cells; `typed` says whether its values have JSON types: cells are all strings."""

    index: int
    place: Place
    fields: Mapping[str, Any] = field(repr=False)
    typed: bool


def read_records(item: Input, options: ReaderOptions) -> Iterator[Record | Rejection]:
    """The records of one input, read lazily, with the same error handling as for documents.

    Raises:
        UsageError: it cannot be opened, or its header cannot be used.
    """
    source = open_source(item, options)
    for index, found in enumerate(source.records.items):
        if isinstance(found, Unread):
            yield source.rejection(index, found)
        else:
            yield Record(index, source.place(found), found[2], source.is_typed)
