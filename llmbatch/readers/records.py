"""Records as they stand in a file: for files that hold no documents, as gold labels."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from llmbatch.core.rows import Place, Rejection
from llmbatch.readers.formats import Unread
from llmbatch.readers.inputs import Input
from llmbatch.readers.options import ReaderOptions
from llmbatch.readers.protected import unprotected
from llmbatch.readers.stream import open_input


@dataclass(frozen=True, slots=True)
class Record:
    """One object, or one line of cells; `typed` tells that its values have JSON types, since cells are all strings."""

    index: int
    place: Place
    fields: Mapping[str, Any] = field(repr=False)
    typed: bool


def read_records(item: Input, options: ReaderOptions) -> Iterator[Record | Rejection]:
    """The records of one input, lazily, with the same care as documents are read.

    Raises:
        UsageError: it cannot be opened, or its header cannot be used.
    """
    opened = open_input(item, options)
    is_typed = opened.format.is_typed
    for index, found in enumerate(unprotected(opened.format.read(opened.content, options)).items):
        if isinstance(found, Unread):
            yield Rejection(index, Place(item.label, found.line), found.kind, found.message, found.raw)
        else:
            line, _, fields, _ = found
            yield Record(index, Place(item.label, line), fields, is_typed)
