"""A run's input: read once to be asked about, and again from its start when the views are made."""

from collections.abc import Callable, Iterator

from llmbatch.errors import UsageError
from llmbatch.pipeline.folder import STDIN, RunFolder
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
    def first_read(cls, names: tuple[str, ...], options: ReaderOptions, folder: RunFolder) -> "RunInput":
        """The inputs as the user names them.

        Raises:
            UsageError: one of them cannot be read.
        """
        inputs = resolve_inputs(names, options)
        first = tuple(spooled(item, folder.stdin_spool) if item.path is None else item for item in inputs)
        again = tuple(from_spool(folder.stdin_spool, options) if item.path is None else item for item in inputs)
        return cls(first, again, options)

    @classmethod
    def only_once(cls, names: tuple[str, ...], options: ReaderOptions) -> "RunInput":
        """The inputs as the user names them, to be looked at and not kept: standard input is gone once it is read.

        Raises:
            UsageError: one of them cannot be read.
        """
        inputs = resolve_inputs(names, options)
        return cls(inputs, inputs, options)

    @classmethod
    def again(cls, names: tuple[str, ...], options: ReaderOptions, folder: RunFolder) -> "RunInput":
        """The inputs of a run that was started earlier: the same files in the same order.

        Raises:
            UsageError: one of them is gone.
        """
        inputs = tuple(_reopened(name, options, folder) for name in names)
        return cls(inputs, inputs, options)

    @property
    def names(self) -> tuple[str, ...]:
        """The files by absolute path, folders and globs resolved; `-` for standard input."""
        return tuple(STDIN if item.path is None else str(item.path.absolute()) for item in self._first)

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


def _reopened(name: str, options: ReaderOptions, folder: RunFolder) -> Input:
    if name != STDIN:
        return resolve_inputs((name,), options)[0]
    if not folder.has_stdin_copy:
        raise UsageError(
            f"{folder.stdin_spool}: the copy of the standard input is gone", hint="pipe it into classify again"
        )
    return from_spool(folder.stdin_spool, options)
