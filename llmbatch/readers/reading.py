"""From inputs to rows: one index over all of them, each opened when its turn comes."""

from collections.abc import Callable, Iterator, Sequence
from itertools import count

from llmbatch.readers.fields import FieldChoice
from llmbatch.readers.identity import ByteWatch
from llmbatch.readers.inputs import Input
from llmbatch.readers.jsonl import count_jsonl, read_jsonl
from llmbatch.readers.options import ReaderOptions
from llmbatch.readers.separated import count_separated, read_separated
from llmbatch.readers.stream import open_stream
from llmbatch.rows import Rejection, Row

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
    return sum(_count_one(item, options) for item in inputs)


def _read_one(
    item: Input,
    options: ReaderOptions,
    indices: Iterator[int],
    on_fields: OnFields,
    watch: ByteWatch | None = None,
) -> Iterator[Row | Rejection]:
    stream = open_stream(item, watch)
    if stream.format == "jsonl":
        return read_jsonl(stream.chunks, item.label, options, indices, on_fields)
    return read_separated(stream.chunks, item.label, stream.format, options, indices, on_fields)


def _count_one(item: Input, options: ReaderOptions) -> int:
    stream = open_stream(item)
    if stream.format == "jsonl":
        return count_jsonl(stream.chunks, options)
    return count_separated(stream.chunks, item.label, stream.format, options)


def _tell_nobody(_: FieldChoice) -> None:
    """What is taken from an input is of no interest here."""
