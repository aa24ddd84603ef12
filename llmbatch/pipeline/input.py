"""A run's input: read once to be asked about, and again from its start when the views are made."""

from collections.abc import Callable, Iterator

from llmbatch.errors import UsageError
from llmbatch.pipeline.folder import STDIN, Reading, RunFolder
from llmbatch.readers import (
    FieldChoice,
    Input,
    ReaderOptions,
    count_rows,
    from_spool,
    read_rows,
    resolve_inputs,
    spooled,
)
from llmbatch.rows import Rejection, Row


class RunInput:
    """The inputs of one run. Standard input is copied to the run folder while it is read, since it comes only once."""

    def __init__(self, first: tuple[Input, ...], again: tuple[Input, ...], options: ReaderOptions) -> None:
        self._first = first
        self._again = again
        self._options = options

    @classmethod
    def first_read(cls, names: tuple[str, ...], reading: Reading, folder: RunFolder) -> "RunInput":
        """The inputs as the user names them.

        Raises:
            UsageError: one of them cannot be read.
        """
        options = _reader_options(reading)
        inputs = resolve_inputs(names, options)
        first = tuple(spooled(item, folder.stdin_spool) if item.path is None else item for item in inputs)
        again = tuple(from_spool(folder.stdin_spool, options) if item.path is None else item for item in inputs)
        return cls(first, again, options)

    @classmethod
    def again(cls, reading: Reading, folder: RunFolder) -> "RunInput":
        """The inputs of a run that was started earlier.

        Raises:
            UsageError: one of them is gone.
        """
        options = _reader_options(reading)
        files = tuple(name for name in reading.inputs if name != STDIN)
        inputs = resolve_inputs(files, options) if files else ()
        if STDIN in reading.inputs:
            if not folder.stdin_spool.exists():
                raise UsageError(
                    f"{folder.stdin_spool}: the copy of the standard input is gone",
                    hint="pipe it into classify again",
                )
            inputs += (from_spool(folder.stdin_spool, options),)
        return cls(inputs, inputs, options)

    @property
    def is_stream(self) -> bool:
        """Whether rows come from standard input, one by one, as somebody writes them."""
        return any(item.path is None for item in self._first)

    def rows(self, on_fields: Callable[[FieldChoice], None]) -> Iterator[Row | Rejection]:
        """The rows, for the first time; the fields chosen are told."""
        return read_rows(self._first, self._options, on_fields=on_fields)

    def read_again(self, on_fields: Callable[[FieldChoice], None]) -> Iterator[Row | Rejection]:
        """The rows from the start."""
        return read_rows(self._again, self._options, on_fields=on_fields)

    def count(self) -> int | None:
        """How many rows there are, or None for a stream."""
        return count_rows(self._first, self._options)


def _reader_options(reading: Reading) -> ReaderOptions:
    return ReaderOptions(id_field=reading.id_field, text_fields=reading.text_fields, input_format=reading.input_format)
