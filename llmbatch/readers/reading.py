"""From inputs to rows: one index over all of them, each opened when its turn comes."""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, count

from llmbatch.readers.choosing import choose_by_header, choose_by_records
from llmbatch.readers.fields import FieldChoice, RowMaker
from llmbatch.readers.formats import Unread
from llmbatch.readers.identity import ByteWatch
from llmbatch.readers.inputs import Input
from llmbatch.readers.options import ReaderOptions
from llmbatch.readers.stream import open_input
from llmbatch.rows import Place, Rejection, Row

OnFields = Callable[[FieldChoice], None]


def read_rows(
    inputs: Sequence[Input],
    options: ReaderOptions,
    *,
    on_fields: OnFields | None = None,
    watch: ByteWatch | None = None,
) -> Iterator[Row | Rejection]:
    """The rows of all inputs in their order, one at a time as they are asked for.

    Args:
        inputs: what to read.
        options: which fields to take.
        on_fields: told once an input what is taken from it, before its first row; not for an input without rows.
        watch: is shown the inputs' bytes.

    Raises:
        UsageError: an input cannot be used at all. Files are looked into before the first row is given, so that a
            run does not pay for one file and then stop at the next; standard input shows only when its turn comes.
    """
    for item in inputs[1:]:
        if item.path is not None:
            next(_read_one(item, options, count(), _tell_nobody), None)
    indices = count()
    for item in inputs:
        yield from _read_one(item, options, indices, on_fields or _tell_nobody, watch)


def count_rows(inputs: Sequence[Input], options: ReaderOptions) -> int | None:
    """How many rows and rejections `read_rows` gives, without making them; None with standard input among them.

    Raises:
        UsageError: an input cannot be opened, or its header cannot be used.
    """
    if any(item.path is None for item in inputs):
        return None
    return sum(opened.format.count(opened.content, options) for opened in map(open_input, inputs))


def _read_one(
    item: Input,
    options: ReaderOptions,
    indices: Iterator[int],
    on_fields: OnFields,
    watch: ByteWatch | None = None,
) -> Iterator[Row | Rejection]:
    file, opened = item.label, open_input(item, watch)
    records = opened.format.read(opened.content, options)
    items = records.items
    if records.names:
        choice = choose_by_header(file, records.names, options, is_typed=opened.format.is_typed)
    else:
        for found in items:
            if not isinstance(found, Unread):
                choice, looked_at = choose_by_records(file, found, items, options)
                items = chain(looked_at, items)
                break
            yield _rejection(next(indices), file, found)
        else:
            return
    on_fields(choice)
    maker = RowMaker(file, choice, options)
    for found in items:
        index = next(indices)
        yield _rejection(index, file, found) if isinstance(found, Unread) else maker.make(index, *found)


def _rejection(index: int, file: str, unread: Unread) -> Rejection:
    return Rejection(index, Place(file, unread.line), unread.kind, unread.message, unread.raw)


def _tell_nobody(_: FieldChoice) -> None:
    """What is taken from an input is of no interest here."""
