"""Reads rows from inputs, numbered across all of them; each input is opened when its turn comes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, count

from llmbatch.core.rows import Rejection, Row
from llmbatch.readers.choosing import LOOKED_AT, Beginning, choose, named_fields
from llmbatch.readers.encodings import likely_encodings
from llmbatch.readers.fields import FieldChoice, KeptFields, RowMaker
from llmbatch.readers.formats import Parsed, Unread
from llmbatch.readers.identity import ByteWatch
from llmbatch.readers.inputs import Input
from llmbatch.readers.look_ahead import MOMENT_S, looked_ahead
from llmbatch.readers.options import ReaderOptions
from llmbatch.readers.paths import is_there
from llmbatch.readers.source import Source, count_items, open_source

OnFields = Callable[[FieldChoice], None]
OnEnd = Callable[[str, tuple[str, ...]], None]


@dataclass(frozen=True, slots=True)
class EarlierFields:
    """The fields that earlier sessions of a run used; `by_name` if they recorded none and decided by names alone."""

    kept: Mapping[Input, KeptFields] = field(default_factory=dict)
    by_name: bool = False


NO_EARLIER = EarlierFields()
_SAMPLE_BYTES = 64 * 1024
_MOST_BYTES = 8 * 1024 * 1024
"""Bytes of records that are held back."""


def read_rows(
    inputs: Sequence[Input],
    options: ReaderOptions,
    *,
    on_fields: OnFields | None = None,
    on_end: OnEnd | None = None,
    watch: ByteWatch | None = None,
    earlier: EarlierFields = NO_EARLIER,
) -> Iterator[Row | Rejection]:
    """The rows of all inputs in their order, read lazily.

    Args:
        inputs: what to read.
        options: which fields to use.
        on_fields: called once per input with the fields used, before its first row; not for an input without rows.
        on_end: called once per input, after its last row, with its name and what was skipped or repaired.
        watch: receives the inputs' bytes.
        earlier: which fields earlier sessions used.

    Raises:
        UsageError: an input cannot be used at all. Files are checked before the first row is yielded, so that a run
            does not pay for one file and then stop at the next; standard input is checked only when its turn comes.
    """
    for item in inputs[1:]:
        if item.path is not None:
            next(_read_one(item, options, count(), _tell_nobody, earlier), None)
    indices = count()
    for item in inputs:
        yield from _read_one(item, options, indices, on_fields or _tell_nobody, earlier, watch, on_end)


def chosen_fields(
    inputs: Sequence[Input], options: ReaderOptions, earlier: EarlierFields = NO_EARLIER
) -> dict[Input, FieldChoice]:
    """The fields that `read_rows` will use from inputs that are files and have rows.

    Raises:
        UsageError: an input cannot be used at all.
    """
    chosen: dict[Input, FieldChoice] = {}
    for item in inputs:
        choices: list[FieldChoice] = []
        if item.path is not None:
            next(_read_one(item, options, count(), choices.append, earlier), None)
        if choices:
            chosen[item] = choices[0]
    return chosen


def existing_fields(chosen: Mapping[Input, FieldChoice], options: ReaderOptions, asked: Sequence[str]) -> list[str]:
    """The fields that the user names, individually or separated by commas, in files.

    Args:
        chosen: the result of `chosen_fields`.
        options: how the files are read.
        asked: the names as the user writes them.

    Raises:
        UsageError: no file has such a field.
    """
    names = dict.fromkeys(name for choice in chosen.values() for name in choice.names)
    files = ", ".join(choice.file for choice in chosen.values())

    def is_later(name: str) -> bool:
        return any(_has_field(item, options, name) for item in chosen if item.path is not None)

    fields = Beginning(files, None, [names], later=is_later)
    return [name for each in asked for name in named_fields(fields, each)]


def count_rows(inputs: Sequence[Input], options: ReaderOptions) -> int | None:
    """How many rows and rejections `read_rows` yields, without making them; None if standard input is among them.

    Raises:
        UsageError: an input cannot be opened, or its header cannot be used.
    """
    if any(item.path is None for item in inputs):
        return None
    return sum(count_items(item, options) for item in inputs)


def _read_one(
    item: Input,
    options: ReaderOptions,
    indices: Iterator[int],
    on_fields: OnFields,
    earlier: EarlierFields,
    watch: ByteWatch | None = None,
    on_end: OnEnd | None = None,
) -> Iterator[Row | Rejection]:
    source = open_source(item, options, watch)
    records, foreign = source.records, _Foreign()
    items = records.items
    for found in items:
        if not isinstance(found, Unread):
            items = chain((found,), items)
            break
        foreign.add(found)
        yield source.rejection(next(indices), found)
    else:
        if not records.names:
            _tell_end(source, foreign, on_end)
            return
    within_s = MOMENT_S if item.path is None else None
    first, items = looked_ahead(items, _Enough(), within_s=within_s)
    rows = [found[2] for found in first if not isinstance(found, Unread)]

    def is_later(name: str) -> bool:
        return item.path is not None and _has_field(item, options, name)

    beginning = Beginning(source.file, records.names or None, rows, source.is_typed, records.findings, is_later)
    choice = choose(beginning, options, kept=earlier.kept.get(item), by_name=earlier.by_name)
    on_fields(replace(choice, written=source.written))
    maker = RowMaker(choice, options)
    for found in items:
        index = next(indices)
        if isinstance(found, Unread):
            foreign.add(found)
            yield source.rejection(index, found)
        else:
            _, raw, fields, flags = found
            yield maker.make(index, source.place(found), raw, fields, flags)
    _tell_end(source, foreign, on_end)


def _tell_end(source: Source, foreign: "_Foreign", on_end: OnEnd | None) -> None:
    if on_end is not None and (remarks := (*source.records.at_end(), *foreign.remark())):
        on_end(source.file, remarks)


class _Foreign:
    """Rows that are not UTF-8: together they may show their encoding."""

    def __init__(self) -> None:
        self._rows = 0
        self._sample = b""

    def add(self, unread: Unread) -> None:
        """Add a record that cannot be read."""
        if unread.kind == "bad_encoding":
            self._rows += 1
            if len(self._sample) < _SAMPLE_BYTES:
                self._sample += unread.raw[:_SAMPLE_BYTES] + b"\n"

    def remark(self) -> tuple[str, ...]:
        """If there are any, their number and the option that reads them."""
        if not self._rows:
            return ()
        found = likely_encodings(self._sample)
        names = (
            f"most likely {found[0]}: --encoding {found[0]}"
            if len(found) == 1
            else "specify their encoding: --encoding NAME"
        )
        return (f"{self._rows:,} {'row is' if self._rows == 1 else 'rows are'} not UTF-8, {names}",)


class _Enough:
    """Whether the records so far are enough for choosing fields."""

    def __init__(self) -> None:
        self._records = self._bytes = 0

    def __call__(self, found: Parsed | Unread) -> bool:
        """Add another one."""
        self._records += 1
        self._bytes += len(found.raw if isinstance(found, Unread) else found[1])
        return self._records >= LOOKED_AT or self._bytes >= _MOST_BYTES


def _has_field(item: Input, options: ReaderOptions, name: str) -> bool:
    """Whether any record has this field: if the first hundred lack it, it may be rare, or misspelled."""
    records = open_source(item, options).records
    return not records.names and any(
        is_there(found[2], name) for found in records.items if not isinstance(found, Unread)
    )


def _tell_nobody(_: FieldChoice) -> None:
    """Ignore which fields are used."""
