"""What would be read from an input, for `llmbatch input`."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from llmbatch.core.errors import StorageFailed
from llmbatch.core.rows import Rejection, Row
from llmbatch.readers.fields import FieldChoice
from llmbatch.readers.finding import resolve_inputs
from llmbatch.readers.inputs import Input
from llmbatch.readers.options import ReaderOptions
from llmbatch.readers.reading import read_rows

_SHOWN = 3
"""How many documents, and how many rejections of each kind, are shown."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The rows of one kind that cannot be read."""

    count: int
    first: tuple[Rejection, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class InputLook:
    """One input as it is read. `choice` is None if it has no readable row."""

    file: str
    choice: FieldChoice | None
    rows: int
    documents: tuple[Row, ...] = field(repr=False)
    """The first ones."""
    rejected: Mapping[str, Rejected]
    """By kind."""
    remarks: tuple[str, ...]
    """What was skipped or repaired."""


@contextmanager
def looked_at(names: Sequence[str], options: ReaderOptions) -> Iterator[tuple[Input, ...]]:
    """The inputs that the user's names stand for, without a run folder: copies of remote data exist within the block.

    Raises:
        UsageError: one of them cannot be read.
        StorageFailed: there is no disk space for a query's rows.
    """
    with ExitStack() as stack:

        def spool_for(_: str) -> Path:
            try:
                return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="llmbatch-"))) / "copy"
            except OSError as error:
                raise StorageFailed(
                    f"cannot create a temporary folder for a copy of the input ({error.strerror})"
                ) from None

        inputs = resolve_inputs(names, options, spool_for)
        for item in inputs:
            if item.source is not None and item.path is not None:
                item.source.copy_to(item.path)
        yield inputs


def look_into(item: Input, options: ReaderOptions) -> InputLook:
    """Read one input to its end.

    Raises:
        UsageError: it cannot be used at all.
    """
    choices: list[FieldChoice] = []
    remarks: list[str] = []
    documents: list[Row] = []
    rejected: dict[str, Rejected] = {}
    rows = 0
    for one in read_rows([item], options, on_fields=choices.append, on_end=lambda _, found: remarks.extend(found)):
        if isinstance(one, Row):
            rows += 1
            if len(documents) < _SHOWN:
                documents.append(one)
        else:
            before = rejected.get(one.kind, Rejected(0, ()))
            first = before.first if before.count >= _SHOWN else (*before.first, one)
            rejected[one.kind] = Rejected(before.count + 1, first)
    choice = choices[0] if choices else None
    return InputLook(item.label, choice, rows, tuple(documents), rejected, tuple(remarks))


def look_json(look: InputLook) -> dict[str, object]:
    """A look as JSON values, documents with their texts and fields."""
    choice = look.choice
    return {
        "file": look.file,
        **({} if choice is None else choice.written),
        "findings": [] if choice is None else list(choice.findings),
        "fields": [] if choice is None else list(choice.names),
        "id_field": None if choice is None else choice.id_field,
        "text_fields": [] if choice is None else list(choice.text_fields),
        "rows": look.rows,
        "rejected": {
            kind: {
                "count": rejected.count,
                "first": [{"line": one.place.line, "message": one.message} for one in rejected.first],
            }
            for kind, rejected in look.rejected.items()
        },
        "remarks": list(look.remarks),
        "documents": [
            {"line": row.place.line, "id": row.id, "text": row.text, "fields": dict(row.fields)}
            for row in look.documents
        ],
    }
