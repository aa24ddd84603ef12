"""A run's input: read once to send its rows, and again from its start when the views are made."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from llmbatch.core.errors import UsageError
from llmbatch.core.rows import Rejection, Row
from llmbatch.databases import is_database
from llmbatch.observe.events import (
    DownloadBegun,
    DownloadKept,
    DownloadLost,
    Event,
    InputChanged,
    InputDownloaded,
    InputPassedOver,
    QueryBegun,
    QueryCopied,
    QueryCopyKept,
)
from llmbatch.readers import (
    EarlierFields,
    FieldChoice,
    IdentityWatch,
    Input,
    InputIdentity,
    KeptFields,
    QuerySource,
    ReaderOptions,
    Source,
    WholeRead,
    begun,
    chosen_fields,
    column_types,
    copied,
    count_rows,
    existing_fields,
    find_inputs,
    from_spool,
    is_address,
    is_file_name,
    looked_at,
    read_rows,
    reopened,
    resolve_inputs,
    spooled,
)
from llmbatch.runs.folder import FINISHED, STDIN, RunFolder, RunRecord, time_text
from llmbatch.runs.input_changes import since_then, while_read
from llmbatch.runs.recorded_plan import recorded_plan
from llmbatch.runs.shard import Shard
from llmbatch.runs.trust import NO_TRUST, Trust, input_path


class RunInput:
    """The inputs of one run. Standard input is copied to the run folder, since it can be read only once."""

    def __init__(self, first: tuple[Input, ...], again: tuple[Input, ...], options: ReaderOptions) -> None:
        self._first = first
        self._again = again
        self._options = options
        self._sizes = tuple(item.size for item in first)
        self._before: Mapping[str, InputIdentity] = {}
        self._read: dict[Input, WholeRead] = {}
        self._read_again: dict[Input, WholeRead] = {}
        self.passed_over: tuple[InputPassedOver, ...] = ()
        """What to report about the inputs before a row is read."""
        self._fields: dict[str, KeptFields] = {}
        """By the input's key."""
        self._goes_by_name = False
        self._remarks: dict[str, tuple[str, ...]] = {}
        self._shard: Shard | None = None
        self._key: Callable[[str], str] = str
        self._keep: tuple[str, ...] = ()
        """Fields that the user wants to carry, until an input has shown whether it has them."""

    @classmethod
    def first_read(cls, names: tuple[str, ...], options: ReaderOptions, folder: RunFolder) -> "RunInput":
        """The inputs as the user names them.

        Raises:
            UsageError: one of them cannot be read.
        """
        found = find_inputs(names, options, folder.copy_of)
        first = tuple(spooled(item, folder.stdin_spool) if item.path is None else item for item in found.inputs)
        again = tuple(
            from_spool(folder.stdin_spool, options) if item.path is None else _named_from(folder, item)
            for item in found.inputs
        )
        source = cls(first, again, options)
        source.passed_over = tuple(
            InputPassedOver(one.name, dict(one.counts), one.examples) for one in found.passed_over
        )
        return source

    @classmethod
    @contextmanager
    def only_once(cls, names: tuple[str, ...], options: ReaderOptions) -> Iterator["RunInput"]:
        """The inputs as the user names them, to be examined but not kept: standard input can be read only once.

        Raises:
            UsageError: one of them cannot be read.
        """
        with looked_at(names, options) as inputs:
            yield cls(inputs, inputs, options)

    def copy_sources(
        self, standing: RunRecord | None, emit: Callable[[Event], None] = lambda _: None
    ) -> tuple[Event, ...]:
        """Copy the data of addresses into the run folder, before any of it is read.

        If the last session did not finish, its copy of a query is used again: the query may return other rows by now,
        while half of the copied ones are paid for. The copy of a file that can no longer be fetched is used too.

        Args:
            standing: the folder's record, if it is for the same inputs.
            emit: called immediately with events about slow steps.

        Returns:
            What to report once the session has begun.

        Raises:
            UsageError: a database cannot be opened, or refuses its query; a file cannot be fetched.
        """
        resumes = standing is not None and standing.state != FINISHED
        return tuple(
            event
            for item in self._first
            if item.source is not None and item.path is not None
            for event in _copied(item.source, item.path, emit, resumes=resumes)
        )

    @classmethod
    def again(cls, record: RunRecord, folder: RunFolder, trust: Trust = NO_TRUST) -> "RunInput":
        """The inputs of an existing run: the same files in the same order, unless they are named again.

        Raises:
            UsageError: one of them no longer exists, or may not be read, since someone else created the folder.
        """
        if trust.inputs:
            inputs = _named_again(trust.inputs, record.reader, folder)
        else:
            paths = (input_path(name, record, folder, trust) for name in record.inputs)
            inputs = tuple(_reopened(path, record.reader, folder) for path in paths)
        source = cls(inputs, inputs, record.reader)
        source.compare_with(record.inputs_read_at(source.names, folder))
        source.take_fields_of(record)
        if record.shard is not None:
            source.restrict(record.shard, recorded_plan(record).key)
        return source

    def restrict(self, shard: Shard | None, key: Callable[[str], str]) -> None:
        """Read only the rows of a shard from now on; None reads all.

        Args:
            shard: the shard.
            key: returns a text's key by the run's plan.
        """
        self._shard, self._key = shard, key

    @property
    def names(self) -> tuple[str, ...]:
        """The files by absolute path, folders and globs resolved; `-` for standard input."""
        return tuple(
            str(item.path.absolute()) if item.path is not None and is_file_name(item.name) else item.name
            for item in self._first
        )

    @property
    def is_stream(self) -> bool:
        """Whether rows come from standard input, as they are written."""
        return any(item.path is None for item in self._first)

    def rows(self, on_fields: Callable[[FieldChoice], None]) -> Iterator[Row | Rejection]:
        """The rows, for the first time; the chosen fields are reported."""
        watch = IdentityWatch(self._read, lambda _: frozenset())
        return self._rows(self._first, on_fields, watch, on_end=self._remarks.__setitem__)

    def read_again(self, on_fields: Callable[[FieldChoice], None]) -> Iterator[Row | Rejection]:
        """The rows from the start."""
        watch = IdentityWatch(self._read_again, self._known_sizes)
        return self._rows(self._again, on_fields, watch)

    def column_types(self) -> Mapping[str, Any]:
        """The types of the inputs' columns, see `readers.column_types`."""
        return column_types(self._again)

    def take_fields_of(self, record: RunRecord) -> None:
        """Use the same fields as an earlier session with the same options: later rows change nothing."""
        if record.reader == self._options:
            self._goes_by_name = record.fields is None
            self._fields = dict(record.fields or {})

    def choose_fields(self, keep: tuple[str, ...] | None) -> tuple[str, ...] | None:
        """Choose the fields of all files, before anything is sent.

        Args:
            keep: the fields that the user wants to carry, as they were written.

        Returns:
            The names of these fields. Those of a stream are known only when it arrives.

        Raises:
            UsageError: a field that the user names does not exist, or none looks like the text.
        """
        chosen = chosen_fields(self._first, self._options, self._earlier(self._first))
        for item, choice in chosen.items():
            self._keep_fields(self._keys[self._first.index(item)], choice)
        if keep is None:
            return None
        if self.is_stream:
            self._keep = keep
            return tuple(part.strip() for name in keep for part in name.split(","))
        return tuple(existing_fields(chosen, self._options, keep)) if chosen else keep

    def fields(self) -> dict[str, KeptFields]:
        """The fields used from the inputs that were read so far, by their paths from the run folder's parent."""
        return dict(self._fields)

    def compare_with(self, before: Mapping[str, InputIdentity]) -> None:
        """Set what the inputs were in the last session, as `identities` returned it."""
        self._before = before

    def first_bytes(self, least: int) -> bytes:
        """The first bytes of standard input, at least `least` unless it ends before; empty if it is not an input."""
        self._first = tuple(begun(item, least) if item.path is None else item for item in self._first)
        return b"".join(item.head for item in self._first)

    def identities(self) -> dict[str, InputIdentity]:
        """What the inputs were when they were last read, by their paths from the run folder's parent."""
        reads = (self._read_again.get(again) or self._read.get(first) for first, again in self._pairs())
        return {
            name: read.identity if read is not None else self._before[name]
            for name, read in zip(self._keys, reads, strict=True)
            if read is not None or name in self._before
        }

    def remarks(self) -> dict[str, tuple[str, ...]]:
        """What was skipped or repaired in the inputs that were read to their ends, by name."""
        return dict(self._remarks)

    def changes(self) -> tuple[InputChanged, ...]:
        """How the inputs changed since the last session, or while this one read them."""
        changes = [InputChanged(name, InputChanged.GONE) for name in self._before if name not in self._keys]
        for name, size, (first, again) in zip(self._keys, self._sizes, self._pairs(), strict=True):
            read, latest = self._read.get(first), self._read_again.get(again)
            meanwhile = while_read(size, read, latest)
            before = self._before.get(name)
            since = None if before is None else since_then(before, latest or read)
            if since is not None and is_database(name):  # a query may return fewer rows than the day before
                since = InputChanged.CHANGED
            if (change := meanwhile or since) is not None:
                changes.append(InputChanged(name, change, is_while_read=meanwhile is not None))
        return tuple(changes)

    def _rows(
        self,
        inputs: tuple[Input, ...],
        on_fields: Callable[[FieldChoice], None],
        watch: IdentityWatch,
        on_end: Callable[[str, tuple[str, ...]], None] | None = None,
    ) -> Iterator[Row | Rejection]:
        keys = {item.label: key for item, key in zip(inputs, self._keys, strict=True)}

        def noted(choice: FieldChoice) -> None:
            self._keep_fields(keys[choice.file], choice)
            if self._keep:
                existing_fields({inputs[0]: choice}, self._options, self._keep)
                self._keep = ()
            on_fields(choice)

        rows = read_rows(
            inputs, self._options, on_fields=noted, on_end=on_end, watch=watch, earlier=self._earlier(inputs)
        )
        return rows if self._shard is None else self._shard.rows(rows, self._key)

    def _keep_fields(self, key: str, choice: FieldChoice) -> None:
        self._fields.setdefault(key, KeptFields(choice.id_field, choice.text_fields))

    def _earlier(self, inputs: tuple[Input, ...]) -> EarlierFields:
        kept = {item: self._fields[key] for item, key in zip(inputs, self._keys, strict=True) if key in self._fields}
        return EarlierFields(kept, by_name=self._goes_by_name)

    @property
    def _keys(self) -> tuple[str, ...]:
        return tuple(item.name for item in self._again)

    def _pairs(self) -> Iterator[tuple[Input, Input]]:
        return zip(self._first, self._again, strict=True)

    def _known_sizes(self, item: Input) -> frozenset[int]:
        """Offsets at which an input ended in earlier reads: its bytes up to there show whether it only grew."""
        at = self._again.index(item)
        read, before = self._read.get(self._first[at]), self._before.get(item.name)
        return frozenset(known.size for known in (read and read.identity, before) if known)

    def count(self) -> int | None:
        """How many rows there are, including those of other shards, or None for a stream."""
        return count_rows(self._first, self._options)


def _named_from(folder: RunFolder, item: Input) -> Input:
    """The input with its path from the run folder's parent, so that outputs name the same place from anywhere."""
    if not is_file_name(item.name):
        return item
    return replace(item, name=folder.way_to(item.name))


def _named_again(names: tuple[str, ...], options: ReaderOptions, folder: RunFolder) -> tuple[Input, ...]:
    if STDIN in names:
        raise UsageError("--input - cannot be read twice", hint="write it to a file and name that file")
    return tuple(_named_from(folder, item) for item in resolve_inputs(names, replace(options, query=None)))


def _copied(source: Source, copy: Path, emit: Callable[[Event], None], *, resumes: bool) -> Iterator[Event]:
    copied_at = time_text(copy.stat().st_mtime) if resumes and copy.exists() else None
    if isinstance(source, QuerySource):
        if copied_at is None:
            emit(QueryBegun(source.name))
            rows = source.copy_to(copy)
            yield QueryCopied(source.name, str(copy), rows.rows, rows.remarks)
        else:
            yield QueryCopyKept(source.name, str(copy), copied_at)
        return
    try:
        emit(DownloadBegun(source.name))
        found = source.copy_to(copy, lambda reason, wait_s: emit(DownloadLost(source.name, reason, wait_s)))
    except UsageError as error:
        if copied_at is None:
            raise
        yield DownloadKept(error.message, copied_at)
    else:
        yield InputDownloaded(source.name, found.size, is_new=found.is_new)


def _reopened(name: str, options: ReaderOptions, folder: RunFolder) -> Input:
    if is_address(name):
        copy = folder.copy_of(name)
        if not copy.exists():
            raise UsageError(f"{copy}: the copy of {name} is gone", hint="run the classify command again")
        return copied(name, copy, options)
    if name != STDIN:
        try:
            return _named_from(folder, reopened(name, replace(options, query=None)))
        except UsageError as error:
            raise UsageError(error.message, hint="if it has moved, say where it is: --input FILE") from None
    if not folder.has_stdin_copy:
        raise UsageError(
            f"{folder.stdin_spool}: the copy of standard input is gone", hint="pipe it into classify again"
        )
    return from_spool(folder.stdin_spool, options)
